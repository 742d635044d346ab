"""New captions from models of transformers: of the old captions, or of the picture."""

import inspect
import math
import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from mmtbps.errors import BadValue, MissingFile, first_line
from mmtbps.hub import hub_options
from mmtbps.pretrained import parse_model_name, resolve_pretrained
from mmtbps.registry import TASK_UTILS

from ..diffusion.latent_diffusion import fingerprint
from ..templates import check_template
from .base import CaptionRewriter, RetellRequest

__all__ = ['Captioner', 'LanguageModelRewriter', 'TransformersRewriter', 'tidy_answer']

#: Asked in turn: with one wording for all pictures a model answers in one wording, too.
REWRITE_INSTRUCTIONS = (
    'Rewrite this description of a person in other words and another order. Keep every color and '
    'every garment, add nothing. Answer with the description alone.\n{caption}',
    'Say the same of the person in a different sentence structure, with all colors and clothes as '
    'they are. One or two sentences, nothing else.\n{caption}')
CHANGE_INSTRUCTIONS = (
    'Rewrite this description of a person so that the change holds. Keep every other garment and '
    'color, add nothing. Answer with the description alone.\nChange: {change}\n'
    'Description: {caption}',
    'The description was right until this changed: {change}\nSay how the person looks now, with '
    'all else as it is. One or two sentences, nothing else.\n{caption}')
CAPTION_INSTRUCTIONS = (
    'Describe the person in the picture: clothes with their colors from head to feet, hair, and '
    'what is carried. One or two sentences.',
    'Write one or two sentences that would let a stranger recognize this person by the clothes.',
    'What does the person wear and carry? Answer in whole sentences, with colors.')
_CHANGE_FIELDS = 'caption', 'change'
# "Sure! Here is a new description:" is a label, too.
_LABEL = re.compile(r'(?:(?:sure|certainly|of course|okay|here)\b[^:]{0,80}'
                    r'|(?:new |rewritten )?(?:description|caption|answer)|assistant)\s*:\s*',
                    re.IGNORECASE)


class TransformersRewriter(CaptionRewriter):
    """Rewriter that asks a pipeline of transformers.

    Weights are read from safetensors only, and code that comes with a model is never run. Each
    answer has a seed of its own, so that it depends on no other.

    Args:
        pretrained: Folder, or name on the hub, ``owner/name`` or ``hf:owner/name@REVISION``.
        instructions: Texts to ask with; the job's seed chooses.
        captions_per_image: Number of answers.
        max_new_tokens: Longest answer.
        temperature: Of sampling; 0 takes the likeliest token.
        device: ``'cpu'``, ``'cuda'``; by default CUDA if there is one.
        dtype: Of the weights, as ``'bfloat16'``; by default as they are stored.

    Raises:
        MissingFile: If ``pretrained`` is a path to no folder.
        BadValue: If there is no instruction, or a number is out of its range.
    """

    task: str
    default_instructions: Sequence[str]

    def __init__(self, pretrained: str, instructions: Sequence[str] | None = None,
                 captions_per_image: int = 1, max_new_tokens: int = 96, temperature: float = 0.7,
                 device: str | None = None, dtype: str = 'auto') -> None:
        name = parse_model_name(pretrained)
        if name.scheme not in ('', 'hf'):
            raise BadValue(f'{pretrained}: only models of transformers can be asked')
        self.instructions = _texts('instructions', instructions, self.default_instructions)
        for key, value, least, kind in (('captions_per_image', captions_per_image, 1, int),
                                        ('max_new_tokens', max_new_tokens, 1, int),
                                        ('temperature', temperature, 0, (int, float))):
            if not isinstance(value, kind) or not least <= value < math.inf:
                raise BadValue(f'{key} must be a number of at least {least}, got {value!r}')
        if dtype != 'auto' and not isinstance(getattr(torch, str(dtype), None), torch.dtype):
            raise BadValue(f"dtype must be 'auto' or a type of torch, such as 'bfloat16', got "
                           f'{dtype!r}')
        self.pretrained, self.revision = pretrained, name.revision
        self.source = resolve_pretrained(name.name)
        self.captions_per_image, self.max_new_tokens = captions_per_image, max_new_tokens
        self.temperature, self.dtype = temperature, dtype
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')

    @cached_property
    def pipeline(self) -> Any:
        """Pipeline of transformers, loaded at its first use.

        Raises:
            MissingFile: If neither folder, hub nor cache gives the model.
            BadValue: If it is a model for another task.
        """
        import transformers
        options = hub_options(self.source)
        known = inspect.signature(transformers.pipeline).parameters
        dtype = {'dtype' if 'dtype' in known else 'torch_dtype': self.dtype}  # before 4.56
        try:
            return transformers.pipeline(
                self.task, model=self.source, revision=self.revision, device=self.device,
                trust_remote_code=False, **dtype,
                model_kwargs=dict(use_safetensors=True, **options))
        except OSError as error:
            raise MissingFile(f'{self.pretrained}: not loaded ({first_line(error)})') from error
        except (ValueError, KeyError, TypeError) as error:  # TypeError: no processor of pictures
            raise BadValue(f'{self.pretrained}: no model for {self.task!r} '
                           f'({first_line(error)})') from error

    @property
    def digest_fields(self) -> dict[str, Any]:
        return dict(type=type(self).__name__, weights=fingerprint(self.pipeline.model),
                    instructions=list(self.instructions), temperature=self.temperature,
                    captions_per_image=self.captions_per_image,
                    max_new_tokens=self.max_new_tokens, dtype=self.dtype)

    def rewrite(self, requests: Sequence[RetellRequest]) -> list[list[str]]:
        self.refuse_changes(requests)
        return [[answer for answer in map(tidy_answer, self._ask(request)) if answer]
                for request in requests]

    def _ask(self, request: RetellRequest) -> list[str]:
        answers, instructions = [], self._instructions_for(request)
        for k in range(self.captions_per_image):
            number = request.seed + k
            instruction = instructions[number % len(instructions)]
            with torch.random.fork_rng():
                torch.manual_seed(number)
                answers.append(self._answer(request, instruction, number))
        return answers

    def _instructions_for(self, request: RetellRequest) -> tuple[str, ...]:
        """Return the texts to ask with."""
        return self.instructions

    @abstractmethod
    def _answer(self, request: RetellRequest, instruction: str, number: int) -> str:
        """Return the raw answer; ``number`` chooses among captions."""

    @property
    def _sampling(self) -> dict[str, Any]:
        sampled = dict(do_sample=True, temperature=self.temperature) if self.temperature else dict(
            do_sample=False)
        return dict(max_new_tokens=self.max_new_tokens, **sampled)


@TASK_UTILS.register_module()
class LanguageModelRewriter(TransformersRewriter):
    """Rewriter that asks a language model for a caption in other words, or after a change.

    Its arguments are those of `TransformersRewriter`; ``{caption}`` in an instruction stands for
    the caption.

    Args:
        change_instructions: Texts to ask with where a request has a change, with ``{caption}`` and
            ``{change}``; the job's seed chooses.

    Raises:
        BadValue: If an instruction lacks one of these, or asks for another value.
    """

    task = 'text-generation'
    default_instructions = REWRITE_INSTRUCTIONS
    tells_changes = True

    def __init__(self, pretrained: str, *args: Any,
                 change_instructions: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(pretrained, *args, **options)
        self.change_instructions = _texts('change_instructions', change_instructions,
                                          CHANGE_INSTRUCTIONS)
        for text in self.instructions:
            check_template(text, ['caption'], needed=['caption'])
        for text in self.change_instructions:
            check_template(text, _CHANGE_FIELDS, _CHANGE_FIELDS, 'an instruction for a change')

    @property
    def digest_fields(self) -> dict[str, Any]:
        # No key for the default: runs of versions that knew no changes go on.
        own = {} if self.change_instructions == CHANGE_INSTRUCTIONS else dict(
            change_instructions=list(self.change_instructions))
        return dict(super().digest_fields, **own)

    def _instructions_for(self, request: RetellRequest) -> tuple[str, ...]:
        return self.change_instructions if request.change else self.instructions

    def _answer(self, request: RetellRequest, instruction: str, number: int) -> str:
        caption = request.captions[number % len(request.captions)]
        prompt = instruction.format(caption=caption, change=request.change)
        if self.pipeline.tokenizer.chat_template is not None:
            prompt = [dict(role='user', content=prompt)]
        found, = self.pipeline(prompt, return_full_text=False, **self._sampling)
        return found['generated_text']


@TASK_UTILS.register_module()
class Captioner(TransformersRewriter):
    """Rewriter that asks a vision-language model for a description of the picture.

    Of an edited picture it tells what came out of the edit, rather than what was asked. Its
    arguments are those of `TransformersRewriter`. A model that holds no conversation, as BLIP and
    GIT, writes its caption without being asked, and sees no instruction.
    """

    task = 'image-text-to-text'
    sees_pictures = True
    default_instructions = CAPTION_INSTRUCTIONS

    def _answer(self, request: RetellRequest, instruction: str, number: int) -> str:
        if getattr(self.pipeline.processor, 'chat_template', None) is None:
            return self._caption(request.image)
        content = [dict(type='image', image=request.image), dict(type='text', text=instruction)]
        found, = self.pipeline(text=[dict(role='user', content=content)], return_full_text=False,
                               generate_kwargs=self._sampling)
        return found['generated_text']

    def _caption(self, image: Image.Image) -> str:
        """Let a model without a conversation say what it sees."""
        model, processor = self.pipeline.model, self.pipeline.processor
        seen = processor(images=image, return_tensors='pt').to(model.device, model.dtype)
        with torch.no_grad():
            tokens = model.generate(pixel_values=seen['pixel_values'], **self._sampling)
        return processor.batch_decode(tokens, skip_special_tokens=True)[0]


def _texts(name: str, given: Sequence[str] | None, default: Sequence[str]) -> tuple[str, ...]:
    """Return texts to ask with, those by default where none are given."""
    texts = tuple(default if given is None else given)
    if isinstance(given, str) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadValue(f'{name} must be a list of texts, got {given!r}')
    return texts


def tidy_answer(text: str) -> str:
    """Take the caption out of an answer: its first paragraph without label and quotes.

    >>> tidy_answer('Description: "A man  in a red coat."\\n\\nShall I go on?')
    'A man in a red coat.'
    """
    text = text.strip()
    if label := _LABEL.match(text):
        text = text[label.end():]
    paragraph = next((part for part in re.split(r'\n\s*\n', text) if part.strip()), '')
    return ' '.join(paragraph.split()).strip('"“” ')
