"""Families of pipelines that follow instructions, and the call that each of them understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from inspect import signature
from typing import Any

import torch
from PIL import Image

from mmtbps.errors import BadValue, MissingPackage

__all__ = ['FAMILIES', 'InstructFamily', 'family_of']


@dataclass(frozen=True)
class InstructFamily:
    """Manner of asking one kind of pipeline for an edit.

    Sizes are given to every pipeline that takes them, and none may choose its own.

    Args:
        batched: Takes several images, each with its own instruction, and gives the same results
            for them as alone.
        image: Keyword of the images.
        frame: Text around the instruction.
        guidance: Keyword of the scale of guidance.
        negative: Instruction to lead away from; guidance above 1 needs one.
        multiple: Sides must be multiples of this, and of what the pipeline's own parts ask for.
        least: Shortest side the pipeline takes.
        load: Keywords for loading.
        packages: Needed beside diffusers and transformers.
    """

    batched: bool = False
    image: str = 'image'
    frame: str = '{}'
    guidance: str = 'guidance_scale'
    negative: str | None = None
    multiple: int = 1
    least: int = 1
    load: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    def check_packages(self, pipeline: str) -> None:
        """Check that the packages are there.

        Raises:
            MissingPackage: Naming the first that is not.
        """
        for package in self.packages:
            if find_spec(package) is None:
                raise MissingPackage(f'{pipeline} needs {package}: install the build of {package} '
                                     'that belongs to this PyTorch')

    def sides(self, pipe: Any) -> int:
        """Return the number of which both sides must be multiples."""
        processor = getattr(getattr(pipe, 'image_processor', None), 'config', {})
        return max(self.multiple, processor.get('vae_scale_factor')
                   or getattr(pipe, 'vae_scale_factor', 1))

    def check_call(self, kind: type, given: Mapping[str, Any], guided: bool) -> None:
        """Check that a pipeline takes an image, an instruction and what the config asks of it.

        Args:
            kind: Class of the pipeline.
            given: More keywords of the config.
            guided: The config names a scale of guidance.

        Raises:
            BadValue: Naming the class of the pipeline and what it does not take, or what is not
                the config's to say.
        """
        taken, name = signature(kind.__call__).parameters, kind.__name__
        if own := sorted(given.keys() & {*_OWN_KEYWORDS, self.image}):
            raise BadValue(f'{", ".join(own)} (in call): the editor itself hands that to '
                           f'{name}, image by image; use sampling, instruction and batch_size')
        if missing := [key for key in ('prompt', self.image) if key not in taken]:
            raise BadValue(f'{name} does not edit images by instruction: it takes no '
                           f'{" and no ".join(missing)}. Pipelines that do: '
                           f'{", ".join(sorted(FAMILIES))}')
        if unknown := sorted(given.keys() - taken.keys()):
            raise BadValue(f'{name} takes no {", ".join(unknown)} (in call)')
        if guided and self.guidance not in taken:
            raise BadValue(f'{name} takes no {self.guidance}: leave guidance out')

    def call(self, pipe: Any, images: Sequence[Image.Image], prompts: Sequence[str],
             seeds: Sequence[int], guidance: float | None, given: Mapping[str, Any]
             ) -> dict[str, Any]:
        """Collect the keywords that ask for an edit of each image.

        Args:
            pipe: Whose call it is.
            images: RGB, all of one size, which the results shall have.
            prompts: Instruction of each image.
            seeds: Of each image's own noise.
            guidance: Scale of guidance; ``None`` leaves it to the pipeline.
            given: More keywords, which take the place of the family's own.
        """
        taken = signature(type(pipe).__call__).parameters
        width, height = images[0].size
        sizes = dict(height=height, width=width, max_area=height * width, _auto_resize=False,
                     max_input_image_size=max(height, width))
        asked = {key: value for key, value in sizes.items() if key in taken}
        if guidance is not None:
            asked[self.guidance] = guidance
        rows = {'prompt': [self.frame.format(prompt) for prompt in prompts],
                'generator': [torch.Generator().manual_seed(seed) for seed in seeds],
                self.image: list(images)}
        negative = given.get('negative_prompt')
        if negative is None and (guidance is None or guidance > 1):
            negative = self.negative
        if negative is not None:
            rows['negative_prompt'] = [negative] * len(images)
        if not self.batched:
            rows = {key: row for key, (row,) in rows.items()}
        if self.image == 'input_images':   # there an instruction may have several
            rows[self.image] = [rows[self.image]]
        return {**asked, **given, **rows}


#: Keywords of a call that the editor says, or that would change what it gets back.
_OWN_KEYWORDS = ('self', 'prompt', 'generator', 'num_inference_steps', 'height', 'width',
                 'max_area', '_auto_resize', 'max_input_image_size', 'latents', 'output_type',
                 'return_dict', 'num_images_per_prompt')
_VISION = ('torchvision',)     # for the processors of transformers and OmniGen's own
_QWEN = dict(guidance='true_cfg_scale', negative=' ', packages=_VISION)

#: Pipelines that are tried with random weights. Others that take an image and a prompt are asked
#: as by the defaults, one image at a time.
FAMILIES = {
    'FluxKontextPipeline': InstructFamily(batched=True),
    'QwenImageEditPipeline': InstructFamily(batched=True, **_QWEN),
    'QwenImageEditPlusPipeline': InstructFamily(**_QWEN),
    'Flux2Pipeline': InstructFamily(least=64, packages=_VISION),
    'Flux2KleinPipeline': InstructFamily(least=64),
    'OmniGenPipeline': InstructFamily(image='input_images', frame='<img><|image_1|></img> {}',
                                      multiple=16, packages=_VISION),
    'StableDiffusionInstructPix2PixPipeline': InstructFamily(
        batched=True, load=dict(safety_checker=None, requires_safety_checker=False)),
    'StableDiffusionXLInstructPix2PixPipeline': InstructFamily(batched=True),
}


def family_of(pipeline: str) -> InstructFamily:
    """Return the family of a pipeline by its class name.

    >>> family_of('FluxKontextPipeline').batched, family_of('LongCatImageEditPipeline').batched
    (True, False)
    """
    return FAMILIES.get(pipeline, InstructFamily())
