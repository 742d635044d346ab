"""LoRA fine-tuning of a diffusion model on the captions and images of DrawnPEDES.

Here the toy model, minutes on a CPU. For Stable Diffusion 1.5 on CUHK-PEDES change `pretrained`,
`size=(640, 256)`, `dtype='bf16'` and read the data set's base instead.

mmtbps generate finetune configs/generation/finetune_drawn.py
mmtbps generate run configs/generation/pdg_drawn.py \
    --cfg-options generation.editor.weights.lora=work_dirs/finetune_drawn/lora
"""

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

from mmtbps.datasets import DrawnPEDES
from mmtbps.engine import DurableCheckpointHook, EpochSeedHook, FiniteLossHook, WarmUpLR
from mmtbps.generation import DiffusionFinetuner, SaveLoraHook

with read_base():
    from .._base_.pipelines.drawn import *
    from .._base_.runtime import *

model = dict(type=DiffusionFinetuner, pretrained='mmtbps://generation/assets/toy', size=(64, 24),
             rank=8, caption_dropout=0.1)
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(type=DrawnPEDES, data_root='data/DrawnPEDES', split='train',
                 pipeline=[train_pipeline[0], *train_pipeline[-2:]]),
)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=500)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-4, weight_decay=0.01),
                     clip_grad=dict(max_norm=1.0))
param_scheduler = [dict(type=WarmUpLR, start_factor=0.01, length=1 / 10, by_epoch=False)]
default_hooks.update(checkpoint=dict(type=DurableCheckpointHook, interval=250,
                                     by_epoch=False, max_keep_ckpts=1))
# A resumed run goes on as the whole one; the other hooks of the runtime are for retrievers.
custom_hooks = [dict(type=EpochSeedHook), dict(type=FiniteLossHook),
                dict(type=SaveLoraHook, interval=250)]
log_processor = dict(type=LogProcessor, window_size=50, by_epoch=False)
