"""Why a text or a clip is rejected. A check is one small function with a reason code.

The lists of checks, by what they judge:
    query.py      a query of a text corpus: would a person say it aloud?
    pairs.py      a transcript beside its clip
    heard.py      what an ASR heard: are these a user's words?
    closing.py    a completion of the language model: did it end properly?
    reply.py      a spoken reply (stage 1-1), and every other answer
    think.py      the thought that continues an injected body, and the answer after it
    rubric.py     what a pipeline may ask of an answer besides, after a benchmark's rubric
    instruction.py a question of the bank
    speech.py     a clip beside its text; roundtrip.py: whether it says all of it; clip.py: a clip by itself
    alike.py, shingles.py, contamination.py: does a text exist already, or in a benchmark?
`catalogue.py` has the codes of all texts with a one-line description each. The functions, by theme: `form`,
`persona`, `leaks`, `person`, `echo`, `cause`, `emotion`. Their helpers: `words`, `language`, `labels`.
docs/quality.md has each check's precision and recall on answers that a person labelled (`evaluation/`).
"""
