"""Names of Lightning, Keras, scikit-learn, transformers and timm, and what they are called here.

Each leads to a setting or a choice that is there; ``tests/composition/test_suggest.py`` tries them all.
"""

from __future__ import annotations

# a key of ours, and what it is called elsewhere: anywhere, or within a group (group.name)
_KEYS = {
    "hardware.accelerator": "device gpu",
    "hardware.accumulate": (
        "accumulate_grad_batches accumulation_steps grad_accum gradient_accumulation gradient_accumulation_steps"
    ),
    "hardware.compile": "torch_compile",
    "hardware.devices": "gpus n_gpu ngpu num_devices num_gpus num_processes",
    "hardware.distributed": "ddp_backend distributed_backend",
    "hardware.gradient_checkpointing": "activation_checkpointing grad_checkpointing",
    "hardware.nodes": "num_nodes",
    "hardware.precision": "amp dtype mixed_precision precision torch_dtype",
    "hardware.sync_batchnorm": "sync_bn",
    "hardware.threads": "num_threads",
    "hardware.workers": "dataloader_num_workers num_workers",
    "reuse.precision": "feature_dtype feature_precision reuse.bf16 reuse.dtype",
    "reuse.folder": "feature_cache reuse.cache reuse.cache_dir",
    "backbone": "arch architecture_name backbone_name encoder model model_name model_name_or_path network",
    "backbone.drop_path": "drop_path_rate stochastic_depth",
    "backbone.dropout": "attention_dropout drop_rate dropout_rate hidden_dropout_prob",
    "backbone.input.size": "crop_size image_resolution image_size img_size input_size resize resolution",
    "backbone.max_length": "max_len max_seq_length",
    "backbone.weights": "checkpoint_path pretrained_path pretrained_weights",
    "callbacks": "callback",
    "checkpoint.every_steps": "every_n_train_steps save_steps",
    "group": "experiment_name project",
    "loggers": "log log_with logger report_to",
    "output": (
        "checkpoint_dir default_root_dir log_dir logdir logging_dir out out_dir outdir output_dir results_dir "
        "save_dir work_dir"
    ),
    "seed": "manual_seed random_seed random_state seed_everything",
    "strategy.averaging.decay": "ema_decay model_ema_decay",
    "strategy.backbone_lr": "backbone_learning_rate encoder_lr lr_backbone",
    "strategy.batch_size": "batch bs micro_batch_size per_device_train_batch_size train_batch_size",
    "strategy.budget": (
        "epoch epochs iterations max_epochs max_iter max_steps n_epochs n_steps num_epochs num_steps "
        "num_train_epochs total_steps"
    ),
    "strategy.clip": (
        "clip_grad clip_grad_norm grad_clip grad_clip_norm grad_norm_clip gradient_clip gradient_clip_val max_grad_norm"
    ),
    "strategy.frozen_norm": "freeze_bn freeze_norm",
    "strategy.init": "pretrained",
    "strategy.keep": "load_best_model_at_end restore_best_weights save_best save_last save_top_k",
    "strategy.layer_decay": "layer_lr_decay layerwise_lr_decay llrd lr_layer_decay",
    "strategy.lr": "base_lr head_lr init_lr learning_rate learning_rate_init lr0 max_lr",
    "strategy.on_nan": "detect_anomaly terminate_on_nan",
    "strategy.optimizer": "opt optim",
    "strategy.optimizer.name": "optimizer_name",
    "strategy.optimizer.weight_decay": "l2 wd",
    "strategy.peft.alpha": "lora_alpha",
    "strategy.peft.dropout": "lora_dropout",
    "strategy.peft.rank": "lora_r lora_rank",
    "strategy.peft.target": "lora_target_modules target_modules",
    "strategy.phases.0.freeze": "freeze freeze_layers frozen frozen_layers",
    "strategy.phases.0.plateau.min_delta": "early_stopping_threshold min_delta tol",
    "strategy.phases.0.plateau.patience": (
        "early_stop early_stopping early_stopping_patience early_stopping_rounds n_iter_no_change patience"
    ),
    "strategy.phases.0.train": "trainable trainable_layers unfreeze unfreeze_layers",
    "strategy.schedule": "lr_schedule lr_scheduler lr_scheduler_type sched scheduler",
    "strategy.schedule.warmup": "lr_warmup num_warmup_steps warmup_epochs warmup_ratio warmup_steps",
    "strategy.validate_every": (
        "check_val_every_n_epoch eval_every eval_interval eval_steps eval_strategy evaluation_strategy "
        "val_check_interval val_every val_interval"
    ),
    "dataset": "data data_name dataset_name",
    "dataset.augment": "augmentation augmentations augmenter train_transform train_transforms transform transforms",
    "dataset.augment_steps": "augment_list transform_list",
    "dataset.band_files": "band_pattern bands_files",
    "dataset.duplicates": "dedup dedupe deduplicate drop_duplicates remove_duplicates",
    "dataset.eval_batch_size": "per_device_eval_batch_size test_batch_size val_batch_size",
    "dataset.file": "csv csv_file csv_path data_file train_csv train_file",
    "dataset.folds": "cross_validation cv k_fold k_folds kfold n_folds n_splits num_folds",
    "dataset.group.column": (
        "group_by group_col group_column group_id groups patient patient_column patient_id subject_id"
    ),
    "dataset.input": "image_column path_column text_column",
    "dataset.label": "label_col label_column target target_col target_column",
    "dataset.label_separator": "label_sep",
    "dataset.mixup_alpha": "mixup_beta",
    "dataset.root": "data_dir data_root dataset.train_dir dataset.val_dir image_dir image_folder img_dir train_dir",
    "dataset.shots": "few_shot k_shot n_shots num_shots shots_per_class",
    "dataset.test": "test_fraction test_ratio test_size test_split",
    "dataset.test_augment": (
        "test_augmentation test_time_augment test_time_augmentation test_transform test_transforms tta tta_transforms"
    ),
    "dataset.test_file": "test_csv",
    "dataset.time": "date_column time_col time_column timestamp",
    "dataset.unknown": "uncertain uncertain_labels",
    "dataset.val": (
        "val_fraction val_ratio val_size val_split valid_size validation_fraction validation_size validation_split"
    ),
    "dataset.val_file": "eval_file val_csv validation_file",
    "task.loss": "criterion loss_fn loss_function",
    "task.loss.class_weight": "class_weights pos_weight",
    "task.loss.label_smoothing": "label_smoothing_factor smoothing",
    "task.metrics": "metric",
    "task.metrics.auroc": "auc roc_auc roc_auc_score",
    "task.metrics.average_precision": "average_precision_score pr_auc",
    "task.metrics.balanced_accuracy": "balanced_acc balanced_accuracy_score",
    "task.metrics.brier": "brier_score",
    "task.metrics.calibration_error": "ece",
    "task.metrics.f1": "f1_score",
    "task.metrics.fbeta": "fbeta_score",
    "task.metrics.matthews": "matthews_corrcoef mcc",
    "task.metrics.top_k": "top5 top_5 top_k_accuracy topk",
    "task.multilabel": "multi_label multilabel",
    "task.primary_metric": "best_metric metric_for_best_model monitor",
}
KEYS = {name: key for key, names in _KEYS.items() for name in names.split()}

# words to write, and the names in whose place, anywhere
_WORDS = {
    "strategy.optimizer=adam": "adam",
    "strategy.optimizer=adamw": "adamw",
    "strategy.optimizer=sgd": "sgd",
    "strategy.optimizer=rmsprop": "rmsprop",
    "strategy.optimizer=lamb": "lamb",
    "strategy.optimizer=lion": "lion",
    "'+strategy.optimizer.args.betas=[0.9,0.999]'": "adam_betas betas",
    "+strategy.optimizer.args.eps=1e-8": "adam_epsilon eps",
    "strategy.optimizer=sgd +strategy.optimizer.args.nesterov=true": "nesterov",
    "strategy.schedule=cosine": "cosine cosine_annealing",
    "strategy.schedule=one_cycle": "one_cycle onecycle",
    "strategy=llrd": "layerwise_decay",
    "strategy=ema": "ema model_ema use_ema",
    "strategy=swa": "swa use_swa",
    "strategy=lora": "lora use_lora",
    "strategy=feature_extraction": "freeze_backbone linear_probe linear_probing",
    "strategy=fine_tune": "fine_tuning finetune",
    "strategy=wise_ft": "wiseft",
    "hardware=cpu": "no_cuda use_cpu",
    "hardware.precision=16-mixed": "fp16 half",
    "hardware.precision=bf16-mixed": "bf16 bfloat16",
    "hardware.distributed=ddp": "ddp",
    "hardware.distributed=fsdp": "fsdp",
    "dataset.mix=mixup": "mixup use_mixup",
    "dataset.mix=cutmix": "cutmix use_cutmix",
    "dataset.sampler=balanced": (
        "balanced class_balanced oversample oversampling weighted_random_sampler weighted_sampler"
    ),
    "dataset.augment=steps 'dataset.augment_steps=[color_jitter]'": "color_jitter colorjitter",
    "dataset.augment=steps 'dataset.augment_steps=[rand_augment]'": "auto_augment rand_augment randaugment",
    "dataset.augment=steps 'dataset.augment_steps=[trivial_augment]'": (
        "trivial_augment trivial_augment_wide trivialaugment"
    ),
    "dataset.augment=steps 'dataset.augment_steps=[aug_mix]'": "aug_mix augmix",
    "dataset.augment=steps 'dataset.augment_steps=[erasing]'": "erasing random_erasing reprob",
    "dataset.augment=steps 'dataset.augment_steps=[horizontal_flip]'": ("hflip horizontal_flip random_horizontal_flip"),
    "dataset.augment=steps 'dataset.augment_steps=[vertical_flip]'": "random_vertical_flip vertical_flip vflip",
    "dataset.augment=steps 'dataset.augment_steps=[rotation]'": "degrees random_rotation rotation",
    "dataset.augment=steps 'dataset.augment_steps=[resized_crop]'": "random_crop random_resized_crop resized_crop",
    "task.loss=focal": "focal focal_loss",
    "task.calibration=temperature": "temperature temperature_scaling",
    "dataset.split_by=group": "group_kfold group_shuffle_split group_split",
    "dataset.split_by=time": "time_series_split",
    "dataset.duplicates=group": "dedup_splits",
}
WORDS = {name: words for words, names in _WORDS.items() for name in names.split()}

# by key, a value that there is under another name, and the words to write in its place; WORDS are tried as well
VALUES = {
    "dataset.sampler": {"random": "dataset.sampler=shuffle", "weighted": "dataset.sampler=balanced"},
    "hardware.accelerator": {"cuda": "hardware.accelerator=gpu"},
    "hardware.precision": {
        "16": "hardware.precision=16-mixed",
        "32": "hardware.precision=32-true",
        "64": "hardware.precision=64-true",
        "float16": "hardware.precision=16-mixed",
        "float32": "hardware.precision=32-true",
        "fp32": "hardware.precision=32-true",
    },
    "task.loss.kind": dict.fromkeys(("bce", "ce", "crossentropy", "log_loss", "nll"), "task.loss=cross_entropy"),
}

# by group, an option that there is under another name, and the words to write in its place
CHOICES = {
    "strategy": {
        "adapter": "strategy=bottleneck",
        "adapters": "strategy=bottleneck",
        "ddp": "hardware.distributed=ddp",
        "finetune": "strategy=fine_tune",
        "finetuning": "strategy=fine_tune",
        "frozen": "strategy=feature_extraction",
        "fsdp": "hardware.distributed=fsdp",
        "full": "strategy=fine_tune",
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
