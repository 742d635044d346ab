"""Hooks, logging and seeds shared by every run."""

from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend, Visualizer

from mmtbps.engine import (
    DeferredScalarsHook,
    DurableCheckpointHook,
    EpochSeedHook,
    FiniteLossHook,
    PreflightHook,
    RehearsalHook,
    ResumeHook,
    StepLoopHook,
    StrictLoadHook,
)

default_scope = 'mmtbps'
default_hooks = dict(
    runtime_info=dict(type=DeferredScalarsHook),
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    # The best epoch is chosen on the validation split, never on test.
    checkpoint=dict(type=DurableCheckpointHook, interval=1, max_keep_ckpts=2,
                    save_best='t2i/R1', rule='greater'),
    sampler_seed=dict(type=DistSamplerSeedHook),
)
custom_hooks = [dict(type=PreflightHook), dict(type=EpochSeedHook), dict(type=FiniteLossHook),
                dict(type=StrictLoadHook), dict(type=ResumeHook), dict(type=RehearsalHook),
                dict(type=StepLoopHook)]

randomness = dict(seed=0)
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
visualizer = dict(type=Visualizer, vis_backends=[dict(type=LocalVisBackend)])
log_processor = dict(type=LogProcessor, window_size=50)
log_level = 'INFO'
load_from = None
resume = False
