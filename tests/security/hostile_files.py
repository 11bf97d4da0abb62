"""Configuration files of strangers, each with a word of the reason why it is refused."""

from __future__ import annotations

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
BAD: dict[str, tuple[str | bytes, str]] = {
    "laughs": (LAUGHS, "aliases written out"),
    "few laughs": ("a: &a [x, x]\nseed: [" + ", ".join(["*a"] * 9000) + "]\n", "aliases written out"),
    "an alias within itself": ("group: &a [*a]\n", "alias within itself"),
    "deep": ("group: " + "[" * 60 + "]" * 60 + "\n", "nested"),
    "deeper": ("group: " + "[" * 50_000, "nested"),
    "huge": ("#" * (2 << 20), "bytes"),
    "many": ("".join(f"k{i}: 1\n" for i in range(20_000)), "values"),
    "a long number": (f"seed: {'9' * 5000}\n", "too long"),
    "a number to the base of sixty": (f"seed: 1{':59' * 5000}\n", "too long"),
    "a number beyond 64 bits": (f"seed: {10**20}\n", "2^63"),
    "a date": ("group: !!timestamp 2020-13-45\n", "not YAML"),
    "a kind of value": ("group: !!timestamp 2020-01-01\n", "not YAML"),
    "bytes": ("group: !!binary aGFsbG8=\n", "not a bytes"),
    "a wrong kind": ("seed: !!int x\n", "not YAML"),
    "a wrong truth": ("seed: !!bool x\n", "not YAML"),
    "a class": ("group: !!python/object/apply:os.getcwd []\n", "not YAML"),
    "the same key twice": ("seed: 1\nseed: 2\n", "duplicate key"),
    "a list as key": ("? [a, b]\n: 1\n", "key"),
    "a NUL": (b"group: a\0b\n", "YAML"),
    "a NUL written": ('group: "a\\0b"\n', "NUL"),
    "half a letter": (b"group: \xff\n", "UTF-8"),
    "half a letter written": ('group: "\\ud800"\n', ""),
    "two documents": ("seed: 1\n---\nseed: 2\n", "YAML"),
    "a resolver": ("group: ${oc.decode:1}\n", "oc.decode"),
    "another resolver": ("group: ${now:%Y}\n", "now"),
    "hydra's": ("group: ${hydra:runtime.cwd}\n", "hydra"),
    "nested": ("group: ${${oc.env:HOME}}\n", "interpolation within another"),
    "nested deep": ("group: " + "${" * 500 + "a" + "}" * 500 + "\n", "interpolation"),
    "a secret": ("group: ${oc.env:HF_TOKEN}\n", "secret"),
    "a circle": ("group: ${output}\noutput: ${group}\n", "refers to itself"),
    "laughs by reference": (
        "strategy:\n  optimizer:\n    args:\n      a0: x\n"
        + "".join(f"      a{i}: ${{.a{i - 1}}}${{.a{i - 1}}}\n" for i in range(1, 40)),
        "grow without end",
    ),
    "not a number": ("strategy: {lr: .nan}\n", "number"),
    "infinite": ("strategy: {min_scale: .inf}\n", "zero or more"),
}
