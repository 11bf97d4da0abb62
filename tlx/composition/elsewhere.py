"""Names of Lightning, Keras, scikit-learn, transformers and timm, and what they are called here.

Each leads to a setting or a choice that is there; ``tests/composition/test_suggest.py`` tries them all.
"""

from __future__ import annotations

# a setting, and the key of ours
KEYS = {
    "accumulate_grad_batches": "hardware.accumulate",
    "arch": "backbone",
    "augmentation": "dataset.augment",
    "augmentations": "dataset.augment",
    "batch": "strategy.batch_size",
    "class_weights": "task.loss.class_weight",
    "criterion": "task.loss",
    "early_stop": "strategy.phases.0.plateau",
    "early_stopping": "strategy.phases.0.plateau",
    "epochs": "strategy.budget",
    "experiment_name": "group",
    "freeze": "strategy.phases.0.train",
    "gpus": "hardware.devices",
    "gradient_accumulation_steps": "hardware.accumulate",
    "gradient_clip_val": "strategy.clip",
    "image_size": "backbone.input.size",
    "img_size": "backbone.input.size",
    "learning_rate": "strategy.lr",
    "logger": "loggers",
    "loss_fn": "task.loss",
    "lr_scheduler": "strategy.schedule",
    "max_epochs": "strategy.budget",
    "max_grad_norm": "strategy.clip",
    "max_steps": "strategy.budget",
    "metric": "task.metrics",
    "metric_for_best_model": "task.primary_metric",
    "model": "backbone",
    "monitor": "task.primary_metric",
    "num_epochs": "strategy.budget",
    "num_gpus": "hardware.devices",
    "num_nodes": "hardware.nodes",
    "num_train_epochs": "strategy.budget",
    "num_workers": "hardware.workers",
    "output_dir": "output",
    "patience": "strategy.phases.0.plateau.patience",
    "pretrained": "strategy.init",
    "project": "group",
    "random_state": "seed",
    "save_best": "strategy.keep",
    "scheduler": "strategy.schedule",
    "seed_everything": "seed",
    "smoothing": "task.loss.label_smoothing",
    "test_size": "dataset.test",
    "test_split": "dataset.test",
    "val_check_interval": "strategy.validate_every",
    "val_size": "dataset.val",
    "val_split": "dataset.val",
    "validation_split": "dataset.val",
    "warmup_steps": "strategy.schedule.warmup",
    "wd": "strategy.optimizer.weight_decay",
}

# a setting, and the words to write in its place
WORDS = {
    "balanced": "dataset.sampler=balanced",
    "cutmix": "dataset.mix=cutmix",
    "ema": "strategy=ema",
    "focal": "task.loss=focal",
    "focal_loss": "task.loss=focal",
    "linear_probe": "strategy=feature_extraction",
    "lora": "strategy=lora",
    "mixup": "dataset.mix=mixup",
    "oversample": "dataset.sampler=balanced",
    "swa": "strategy=swa",
    "temperature_scaling": "task.calibration=temperature",
    "weighted_sampler": "dataset.sampler=balanced",
}

# by group, an option that there is under another name, and the words to write in its place
CHOICES = {
    "strategy": {
        "finetune": "strategy=fine_tune",
        "finetuning": "strategy=fine_tune",
        "linear_probe": "strategy=feature_extraction",
        "linear_probing": "strategy=feature_extraction",
        "probe": "strategy=feature_extraction",
    },
    "task": {
        "binary": "task=classification",
        "multiclass": "task=classification",
        "multilabel": "task=classification task.multilabel=true",
        "multi_label": "task=classification task.multilabel=true",
    },
}
