"""Hand-written: for each tiny network, what trains and which module calls are to be kept then."""

from __future__ import annotations

_BERT, _GPT, _MODERN = "backbone.encoder.encoder.", "backbone.encoder.", "backbone.encoder."
_MOBILE = ("backbone.conv_head", "backbone.norm_head")
HEAD, LAST, MIDDLE = "head", "last", "middle"

# network -> cut -> (beginnings of the names that train, sites)
CUTS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "resnet": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", "backbone.layer4"), ("backbone.layer3",)),
        MIDDLE: (("head.", "backbone.layer4", "backbone.layer3", "backbone.layer2.1"), ("backbone.layer2.0",)),
    },
    "vit": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", "backbone.norm", "backbone.blocks.2"), ("backbone.blocks.1",)),
        MIDDLE: (("head.", "backbone.norm", "backbone.blocks.2", "backbone.blocks.1"), ("backbone.blocks.0",)),
    },
    "convnext": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", "backbone.head", "backbone.stages.3"), ("backbone.stages.2",)),
        MIDDLE: (("head.", "backbone.head", "backbone.stages.3", "backbone.stages.2"), ("backbone.stages.1",)),
    },
    "mobilenet": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", *_MOBILE, "backbone.blocks.5"), ("backbone.blocks.4",)),
        MIDDLE: (
            ("head.", *_MOBILE, "backbone.blocks.5", "backbone.blocks.4", "backbone.blocks.3"),
            ("backbone.blocks.2",),
        ),
    },
    "bert": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", f"{_BERT}layer.2"), (f"{_BERT}layer.1",)),
        MIDDLE: (("head.", f"{_BERT}layer.2", f"{_BERT}layer.1"), (f"{_BERT}layer.0",)),
    },
    "gpt2": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", f"{_GPT}ln_f", f"{_GPT}h.2"), (f"{_GPT}h.1",)),
        MIDDLE: (("head.", f"{_GPT}ln_f", f"{_GPT}h.2", f"{_GPT}h.1"), (f"{_GPT}h.0",)),
    },
    "deberta": {  # what is known of distances goes into every layer, after a norm
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", f"{_BERT}layer.2"), (f"{_BERT}LayerNorm", f"{_BERT}layer.1")),
        MIDDLE: (("head.", f"{_BERT}layer.2", f"{_BERT}layer.1"), (f"{_BERT}LayerNorm", f"{_BERT}layer.0")),
    },
    "modernbert": {
        HEAD: (("head.",), ("backbone",)),
        LAST: (("head.", f"{_MODERN}final_norm", f"{_MODERN}layers.2"), (f"{_MODERN}layers.1",)),
        MIDDLE: (
            ("head.", f"{_MODERN}final_norm", f"{_MODERN}layers.2", f"{_MODERN}layers.1"),
            (f"{_MODERN}layers.0",),
        ),
    },
}
ALL = [(network, name) for network, cuts in CUTS.items() for name in cuts]
