"""Kinds of published checkpoints: one table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmtbps.errors import BadValue
from mmtbps.models.finite_weights import check_finite

from .aptm import convert_aptm
from .augreg import vit_from_augreg
from .base import Conversion, ConversionOptions
from .blip import convert_blip
from .ctlg import retriever_from_ctlg
from .hf_clip import convert_hf_clip
from .hf_siglip import convert_hf_siglip
from .irra import convert_irra, read_training_config
from .mmtbps import convert_mmtbps, read_own_config
from .open_clip import convert_open_clip
from .openai_clip import convert_openai_clip
from .rasa import convert_rasa
from .rde import convert_rde
from .source import Source, read_source
from .tbps_clip import convert_tbps_clip
from .timm import check_timm_config, vit_from_timm
from .up_person import convert_up_person

__all__ = ['KINDS', 'Kind', 'convert_checkpoint']


@dataclass(frozen=True)
class Kind:
    """A layout of checkpoints.

    Args:
        serves: the models that are published in it.
        convert: from the weights to ours.
        landmark: a key that every checkpoint of the layout has, and no other, or its beginning.
        read_config: reads the file of settings that the user names.
    """

    serves: str
    convert: Callable[[Source, ConversionOptions], Conversion]
    landmark: str
    read_config: Callable[[Path], ConversionOptions] = read_training_config

    def has_landmark(self, source: Source) -> bool:
        """Tell whether a checkpoint may be of this layout."""
        return any(key.startswith(self.landmark) for key in source.state)


def _convert_vit(source: Source, _: ConversionOptions) -> Conversion:
    if 'embedding/kernel' in source.state:
        return vit_from_augreg({key: value.numpy() for key, value in source.state.items()})
    check_timm_config(source.config('config.json') or {})
    return vit_from_timm(source.state)


#: Layouts by the name of their kind.
KINDS = {
    'irra': Kind('IRRA, NAM, HAM, GTR+, GA-DMS, FMFA, CRST, VFE-TPS, SEN', convert_irra,
                 'base_model.visual.conv1.weight'),
    'rde': Kind('RDE, KPDM, ICL, CONQUER', convert_rde, 'visul_emb_layer.fc.weight'),
    'up_person': Kind('UP-Person', convert_up_person, 'LORA_learner.'),
    'tbps_clip': Kind('TBPS-CLIP, full and simplified', convert_tbps_clip,
                      'encode_text.token_embedding.weight'),
    'aptm': Kind('APTM, MRA, SDA; cross-encoders', convert_aptm,
                 'vision_encoder.patch_embed.proj.weight'),
    'rasa': Kind('RaSa, ALBEF; cross-encoders', convert_rasa, 'text_encoder.bert.'),
    'blip': Kind("BLIP for retrieval, GTR+'s cross-encoder, CADA; also of transformers",
                 convert_blip, 'text_encoder.embeddings.word_embeddings.weight'),
    'openai_clip': Kind("OpenAI's CLIP ViTs", convert_openai_clip, 'visual.class_embedding'),
    'open_clip': Kind('CLIP ViTs of open_clip', convert_open_clip, 'visual.class_embedding'),
    'hf_clip': Kind('CLIPModel of transformers', convert_hf_clip,
                    'vision_model.embeddings.class_embedding'),
    'hf_siglip': Kind('SiglipModel of transformers: SigLIP, SigLIP 2 of fixed resolution',
                      convert_hf_siglip, 'vision_model.head.probe'),
    'ctlg': Kind('a whole model of the official CTLG code',
                 lambda source, _: retriever_from_ctlg(source.state),
                 'model_txt.embeddings.word_embeddings.weight'),
    'mmtbps': Kind('a checkpoint of a training of ours, with its config', convert_mmtbps,
                   'image_backbone.', read_own_config),
    'timm': Kind('a ViT of timm; a tower alone', _convert_vit, 'patch_embed.proj.weight'),
    'augreg': Kind('a ViT of the augreg release (.npz); a tower alone', _convert_vit,
                   'embedding/kernel'),
}


def convert_checkpoint(kind: str, source: str,
                       options: ConversionOptions | None = None) -> Conversion:
    """Read and convert a published checkpoint.

    Args:
        kind: one of ``KINDS``.
        source: file, member of a tar, or folder; see `read_source`.
        options: what the checkpoint does not say.

    Raises:
        UserError: it cannot be read, is of another kind, has other sizes than are named, or weights
            that are NaN or infinite.
    """
    checkpoint = read_source(source)
    try:
        conversion = KINDS[kind].convert(checkpoint, options or ConversionOptions())
    except ValueError as error:
        others = [name for name, other in KINDS.items()
                  if name != kind and other.has_landmark(checkpoint)]
        hint = f' (its keys are those of kind {" or ".join(others)})' if (
            others and not KINDS[kind].has_landmark(checkpoint)) else ''
        raise BadValue(f'{source}: {error}{hint}') from error
    check_finite({key: checkpoint.state[key] for key in conversion.used}, source)
    return conversion
