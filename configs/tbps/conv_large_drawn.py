"""Convolutional towers with wider features, whole pictures and bands, on many drawn people.

What people carry is small in a picture and seldom said: it is seen in whole pictures, with kernels
of their own for heads and feet; captions of an image are read together; parts of them ask for it
more often; and it weighs more. Meant for 16,000 people, `mmtbps draw data/DrawnPEDES --people 16000
100 200`; fewer are seen more often.
"""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, PartialCaptions

with read_base():
    from .conv_base_drawn import *
    from .._base_.pipelines.drawn_full_size import *
    from .._base_.schedules.steps import *

model.data_preprocessor.update(batch_augments=[])  # what is erased may be a bag
model.image_backbone.update(
    img_size=(128, 48), stride=2, bands=(1, 1, 3, 3), out_dims=256, residual=True)
model.text_backbone.update(out_dims=256)
model.heads.attributes.update(
    in_dims=256, sentence_weight=10.0, rarity_power=0.5, small_weight=3.0)
model.heads.partial.update(loss_weight=3.0)
val_dataloader.dataset.update(pipeline=test_pipeline)
test_dataloader.dataset.update(pipeline=test_pipeline)
train_dataloader.dataset.update(image_captions=True, pipeline=[
    *train_pipeline[:-1],
    dict(type=PartialCaptions, tokenize=tokenize, count=3, seldom_said=3.0),
    dict(type=PackTextImage, input_keys=partial_keys)])
train_cfg.update(max_iters=1900, val_interval=950)
default_hooks.checkpoint.update(interval=950)
