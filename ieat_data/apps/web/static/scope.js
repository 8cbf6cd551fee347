// The picture of a clip: its waveform over its spectrogram, drawn in the browser from the decoded clip.
//
//   IEAT.scope(url, spans, name, colours) → <canvas>     draws itself once it is in sight
//   IEAT.bytes(url, base64)                              called by `url`.js, beside the clip of a page on disk
//
// A served page fetches the clip; a page opened from disk may only load scripts, so there the clip's bytes lie beside
// it as one. A clip that the browser cannot decode has no picture: its bar with the parts stays.
"use strict";

(() => {
  const RATE = 16_000; // Hz: what speech models hear
  const FRAME = 512; // samples: 32 ms
  const BANDS = 72;
  const COLUMNS = 720;
  const RANGE_DB = 62; // below the loudest
  const LARGEST = 40e6; // bytes: a clip of hours is played, not drawn
  const BAR = 3; // CSS pixels
  const waiting = new Map(); // url → callback for its bytes
  const coming = new Map(); // url → its bytes in Base64, while they are loaded

  async function bytes(url) {
    if (location.protocol !== "file:") {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      return answer.arrayBuffer();
    }
    // a clip that is shown twice is loaded once, and each player gets bytes of its own
    if (!coming.has(url)) coming.set(url, script(url).finally(() => coming.delete(url)));
    return Uint8Array.from(atob(await coming.get(url)), (c) => c.charCodeAt(0)).buffer;
  }

  async function script(url) {
    const encoded = await new Promise((resolve, reject) => {
      waiting.set(url, resolve);
      const node = IEAT.el("script", { src: `${url}.js` });
      node.addEventListener("load", () => node.remove());
      node.addEventListener("error", () => (node.remove(), reject(new Error(`${url}.js could not be loaded`))));
      document.head.append(node);
    });
    waiting.delete(url);
    return encoded;
  }

  /** The samples of a clip, −1 to 1, at RATE. */
  async function samples(url) {
    const encoded = await bytes(url);
    if (encoded.byteLength > LARGEST) throw new Error("too long to be drawn");
    const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(encoded);
    if (!decoded.length) throw new Error("empty");
    return decoded.getChannelData(0);
  }

  /** Transform FRAME complex numbers in place (radix 2). */
  const cosine = Float64Array.from({ length: FRAME / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / FRAME));
  const sine = Float64Array.from({ length: FRAME / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / FRAME));
  function transform(re, im) {
    for (let i = 1, j = 0; i < FRAME; i++) {
      let bit = FRAME >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) [re[i], re[j]] = [re[j], re[i]]; // the imaginary part is zero
    }
    for (let size = 2; size <= FRAME; size *= 2) {
      for (let start = 0; start < FRAME; start += size) {
        for (let k = 0; k < size / 2; k++) {
          const [a, b, w] = [start + k, start + k + size / 2, (k * FRAME) / size];
          const x = re[b] * cosine[w] + im[b] * sine[w];
          const y = im[b] * cosine[w] - re[b] * sine[w];
          [re[b], im[b]] = [re[a] - x, im[a] - y];
          [re[a], im[a]] = [re[a] + x, im[a] + y];
        }
      }
    }
  }

  const hann = Float64Array.from({ length: FRAME }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / FRAME));
  const mel = (hz) => Math.log1p(hz / 700);
  const edges = Array.from({ length: BANDS + 1 }, (_, i) => (Math.expm1((mel(RATE / 2) * i) / BANDS) * 700 * FRAME) / RATE);

  /** The spectrogram as an image of its own: one pixel per band (mel) and moment, opaque where it is loud. */
  function spectrogram(heard) {
    const columns = Math.min(COLUMNS, Math.max(1, Math.ceil(heard.length / 80)));
    const levels = new Float32Array(columns * BANDS);
    const [re, im] = [new Float64Array(FRAME), new Float64Array(FRAME)];
    let loudest = -Infinity;
    for (let x = 0; x < columns; x++) {
      const from = Math.round(((x + 0.5) * heard.length) / columns) - FRAME / 2;
      for (let i = 0; i < FRAME; i++) re[i] = (heard[from + i] ?? 0) * hann[i];
      im.fill(0);
      transform(re, im);
      for (let band = 0; band < BANDS; band++) {
        let most = 0;
        const to = Math.max(Math.floor(edges[band]) + 1, Math.floor(edges[band + 1]));
        for (let k = Math.floor(edges[band]); k < to; k++) most = Math.max(most, re[k] * re[k] + im[k] * im[k]);
        const level = 10 * Math.log10(most + 1e-10);
        levels[x * BANDS + band] = level;
        loudest = Math.max(loudest, level);
      }
    }
    const image = new ImageData(columns, BANDS);
    for (let x = 0; x < columns; x++) {
      for (let band = 0; band < BANDS; band++) {
        const share = Math.max(0, (levels[x * BANDS + band] - loudest) / RANGE_DB + 1);
        image.data[4 * ((BANDS - 1 - band) * columns + x) + 3] = 255 * share ** 1.7;
      }
    }
    const canvas = IEAT.el("canvas", { width: columns, height: BANDS });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  /** Draw `heard` into the canvas at its present size, in the theme's colours. */
  function draw(canvas, heard, picture, spans, colours) {
    const scale = Math.min(3, devicePixelRatio || 1);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const ink = getComputedStyle(canvas).color;
    const seconds = heard.length / RATE;
    const wave = Math.round(height * 0.52);

    pen.globalAlpha = 0.9;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, wave + 3, width, height - wave - 3);
    pen.globalCompositeOperation = "source-in"; // gives the opaque places the ink's colour
    pen.fillStyle = ink;
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "source-over";

    const tints = colours();
    pen.globalAlpha = 1;
    let peak = 1e-3;
    for (const x of heard) if (Math.abs(x) > peak) peak = Math.abs(x);
    const bars = Math.floor(width / BAR);
    for (let i = 0; i < bars; i++) {
      const [from, to] = [Math.floor((i * heard.length) / bars), Math.floor(((i + 1) * heard.length) / bars)];
      let most = 0;
      for (let k = from; k < to; k++) most = Math.max(most, Math.abs(heard[k]));
      const half = Math.max(0.5, ((most / peak) * (wave - 4)) / 2);
      const at = ((i + 0.5) * seconds) / bars;
      pen.fillStyle = tints[spans.findIndex((s) => at >= s.start_s && at < s.end_s)] ?? ink;
      pen.fillRect(i * BAR, wave / 2 - half, BAR - 1, 2 * half);
    }
    pen.fillStyle = ink;
    pen.globalAlpha = 0.35;
    for (const s of spans.slice(1)) pen.fillRect(Math.round((s.start_s / seconds) * width) - 0.5, 0, 1, height);
  }

  /** What the picture tells, in words. */
  function told(name, heard, spans) {
    let peak = 0;
    for (const x of heard) peak = Math.max(peak, Math.abs(x));
    const loudest = peak > 0 ? `loudest at ${(20 * Math.log10(peak)).toFixed(0)} dB` : "silent";
    const parts = spans.map((s) => `${s.kind} from ${s.start_s.toFixed(1)} to ${s.end_s.toFixed(1)} s`);
    return `Waveform and spectrogram of ${name}: ${[`${(heard.length / RATE).toFixed(1)} s`, ...parts, loudest].join(", ")}`;
  }

  const begin = new WeakMap();
  const sight = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      begin.get(target)();
    }
  });
  const again = new WeakMap();
  const sizes = new ResizeObserver((changed) => changed.forEach(({ target }) => again.get(target)?.()));
  const recolour = () => document.querySelectorAll("canvas.scope").forEach((c) => again.get(c)?.());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  IEAT.bytes = (url, encoded) => waiting.get(url)?.(encoded);
  /**
   * `spans`: the parts of the clip; `colours()` gives the colour of each. `done(drawn)` is called when the picture
   * is there, or when there is none.
   */
  IEAT.scope = (url, spans, name, colours, done) => {
    const canvas = IEAT.el("canvas", { class: "scope", role: "img", "aria-label": `Picture of ${name}: not drawn yet` });
    begin.set(canvas, async () => {
      try {
        const heard = await samples(url);
        const picture = spectrogram(heard);
        again.set(canvas, () => draw(canvas, heard, picture, spans, colours));
        canvas.setAttribute("aria-label", told(name, heard, spans));
        done(true);
        again.get(canvas)();
        sizes.observe(canvas);
      } catch {
        done(false);
        canvas.remove();
      }
    });
    sight.observe(canvas);
    return canvas;
  };
})();
