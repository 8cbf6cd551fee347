"""Why a text or a clip is rejected. A check is one small function with a reason code.

The lists of checks, by what is judged:
    query.py      a query of a text corpus: is it said aloud?
    pairs.py      a transcript beside its clip
    closing.py    a completion of the language model: did it end as it should?
    reply.py      a spoken reply (stage 1-1), and every other answer
    think.py      the thought that goes on from an injected body, and the answer after it
    instruction.py a question of the bank
    speech.py     a synthesized clip, beside its text; clip.py: a recorded one by itself
    alike.py, shingles.py, contamination.py: is a text there already, or a benchmark's?
`catalogue.py` has the codes of all texts with a line that says what each stands for. The functions, by theme: `form`,
`persona`, `leaks`, `person`, `echo`, `cause`, `emotion`. What they stand on: `words`, `language`, `labels`.
docs/quality.md has each check's precision and recall on answers that a person labelled (`evaluation/`).
"""
