// What a list is narrowed by: a value of a column, or a value made of one. Values are small numbers until they are shown.
"use strict";

(() => {
  const PAIR = 64; // of two emotions, one number

  /** A column whose rows hold one value each: coded by `list.names`, or a small number by itself. */
  const plain = (column, label, name) => ({
    column,
    label,
    name,
    code: (list, i) => list.columns[column][i],
    value: (list, code) => (list.names[column] ? list.names[column][code] : code),
  });

  /** The emotions of a sample: a set of bits. */
  const felt = (column, label, name) => ({
    column,
    label,
    name,
    many: true,
    code: (list, i) => list.columns.emotions[i].reduce((bits, c) => bits | (1 << c), 0),
    value: (list, code) => list.names.emotions[code],
  });

  /** The first emotion and the last one, where there are two turns. */
  const change = (column, label, name) => ({
    column,
    label,
    name,
    code: (list, i) => {
      const all = list.columns.emotions[i];
      return all.length > 1 ? all[0] * PAIR + all.at(-1) : -1;
    },
    value: ({ names }, code) => `${names.emotions[Math.floor(code / PAIR)]}>${names.emotions[code % PAIR]}`,
  });

  /** Find the rows that all filters keep, and count the rows that each other choice of a facet would keep.
   *  `order`: the rows in the order wanted, or null; `hits`: rows that a search found, or null. */
  function match(list, facets, filters, ranges, order, hits) {
    const n = hits ? Math.min(list.loaded, hits.length) : list.loaded;
    const bounds = ranges.filter((r) => filters[r.column]).map((r) => [list.columns[r.column] ?? [], ...r.bounds(filters[r.column])]);
    const tallies = facets.map(() => []);
    const wanted = facets.map((f) => (filters[f.column] ? (code) => String(f.value(list, code)) === filters[f.column] : null));
    const known = facets.map(() => []); // code → whether it is the wanted one
    const is = (k, code) => (known[k][code] ??= wanted[k](code));
    const fits = (k, code) => {
      if (!facets[k].many) return code >= 0 && is(k, code);
      for (let bit = 0; code >> bit; bit++) if ((code >> bit) & 1 && is(k, bit)) return true;
      return false;
    };
    const add = (k, code) => {
      const tally = tallies[k];
      if (!facets[k].many) {
        if (code >= 0) tally[code] = (tally[code] ?? 0) + 1;
      } else for (let bit = 0; code >> bit; bit++) if ((code >> bit) & 1) tally[bit] = (tally[bit] ?? 0) + 1;
    };
    const codes = facets.map(() => 0);
    const found = [];
    rows: for (let at = 0; at < list.loaded; at++) {
      const i = order ? order[at] : at;
      if (i >= n || (hits && !hits[i])) continue;
      for (const [column, low, high] of bounds) if (!(column[i] !== null && column[i] >= low && column[i] <= high)) continue rows;
      let missed = -1; // the facet that alone leaves the row out
      for (let k = 0; k < facets.length; k++) {
        codes[k] = facets[k].code(list, i);
        if (!wanted[k] || fits(k, codes[k])) continue;
        if (missed >= 0) continue rows;
        missed = k;
      }
      if (missed >= 0) add(missed, codes[missed]);
      else {
        found.push(i);
        for (let k = 0; k < facets.length; k++) add(k, codes[k]);
      }
    }
    return { found, tallies };
  }

  IEAT.facets = { plain, felt, change, match };
})();
