"""Parts of a model of transformers, of a folder or the hub: config, processor, tokenizer, network.

No code of a model is run, and nothing of it unpickled but tensors.
"""

import contextlib
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import transformers
from huggingface_hub import constants
from PIL import Image
from safetensors import SafetensorError
from torch import nn
from transformers.utils.hub import cached_file, extract_commit_hash

from mmtbps.errors import BadValue, MissingFile, MissingPackage, UserError, first_line
from mmtbps.fileio import decode_json, why_no_file
from mmtbps.hub import hub_options
from mmtbps.models.finite_weights import check_finite
from mmtbps.models.setting_sizes import check_sizes

from .families import Family

__all__ = ['PIXELS', 'ModelNotLoaded', 'find_hub', 'load_network', 'load_processor',
           'load_tokenizer', 'loaded', 'quietly', 'read_config']

#: Settings of an image processor that pixels depend on.
PIXELS = ('crop_size', 'do_center_crop', 'do_convert_rgb', 'do_normalize', 'do_rescale',
           'do_resize', 'image_mean', 'image_std', 'include_top', 'max_num_patches', 'patch_size',
           'rescale_factor', 'rescale_offset', 'resample', 'size')
#: Weights of files that no feature depends on: buffers that are computed again, and the pooler of
#: a BERT, where its first token is read without one.
_UNUSED = re.compile(r'(^|\.)(position_ids|token_type_ids|inv_freq|pooler\.dense\.(weight|bias))$')
#: Texts of which a tokenizer that knows words reads two differently.
_PROBE = ('a', 'man', 'red', '1', '\u4eba')
#: Files of a vocabulary of which neither serves alone.
_HALVES = ('vocab.json', 'merges.txt')
_HUB_OF_DAMAGE = (SafetensorError, pickle.UnpicklingError, EOFError)


class ModelNotLoaded(UserError, OSError):
    """A folder or a hub name from which no model can be loaded."""


def loaded(source: str, load: Callable[[], Any]) -> Any:
    """Load a part of a model; a fault of the folder or of the network becomes one line."""
    try:
        return load()
    except UserError:
        raise
    except _HUB_OF_DAMAGE as error:
        raise ModelNotLoaded(f'{source}: the weights are damaged, or hold more than tensors '
                             f'({first_line(error)})') from error
    except ImportError as error:
        raise MissingPackage(f'{source}: {first_line(error)}') from error
    except OSError as error:
        raise ModelNotLoaded(
            f'{source}: not loaded ({first_line(error)}). {_cure(source)}') from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadValue(f'{source}: no model that transformers {transformers.__version__} can '
                       f'load ({first_line(error)})') from error


def _cure(source: str) -> str:
    """Say what to do about a model that is not there."""
    if os.path.isdir(os.path.expanduser(source)):
        return ('The folder needs config.json, preprocessor_config.json, model.safetensors and the '
                'files of the tokenizer')
    why = ('HF_HUB_OFFLINE is set, so nothing is downloaded' if constants.HF_HUB_OFFLINE
           else 'Check the name, and that the hub can be reached')
    return (f'{why}. Without a network, download it elsewhere (hf download {source} --local-dir '
            'FOLDER), copy the folder here and name it as hf:FOLDER')


def find_hub(source: str, place: str) -> dict[str, Any]:
    """Return options of all that is loaded from the hub: without a connection the cache alone.

    Raises:
        ModelNotLoaded: the hub cannot be reached, and its cache has nothing of the model.
    """
    try:
        return dict(hub_options(place))
    except MissingFile as error:
        raise ModelNotLoaded(f'{error}. {_cure(source)}') from error


def read_config(place: str, revision: str | None, found: Mapping[str, Any]
                ) -> tuple[dict[str, Any], str | None]:
    """Read ``config.json``, and the commit that it is of; None for a folder."""
    file = cached_file(place, 'config.json', revision=revision, **found)
    if file is None:  # transformers 5 raises for a name on the hub only
        raise OSError('it has no config.json')
    if reason := why_no_file(file):
        raise BadValue(f'{file}: {reason}')
    with open(file, encoding='utf-8') as settings:
        config = decode_json(settings.read())
    if not isinstance(config, dict):
        raise ValueError(f'its config.json must be a JSON object, got {type(config).__name__}')
    check_sizes(config, f'{place}: config.json')
    return config, None if os.path.isdir(place) else extract_commit_hash(file, None)


def load_processor(place: str, family: Family, found: dict[str, Any]) -> Any:
    """Load the image processor on Pillow: torchvision gives other pixels where it is installed."""
    if family.pillow:
        values, _ = transformers.ImageProcessingMixin.get_image_processor_dict(place, **found)
        names = [name for name in PIXELS if name in values]
        settings = _TORCHVISION_ONLY[family.model] | {name: values[name] for name in names}
        return getattr(transformers, family.pillow)(**settings)
    five = int(transformers.__version__.split('.')[0]) >= 5
    backend = dict(backend='pil') if five else dict(use_fast=False)
    return transformers.AutoImageProcessor.from_pretrained(
        place, trust_remote_code=False, **backend, **found)


#: Defaults of processors that exist for torchvision alone.
_TORCHVISION_ONLY = dict(Tipsv2Model=dict(
    resample=Image.Resampling.BILINEAR, size=dict(height=448, width=448), do_resize=True,
    do_rescale=True, do_normalize=False, do_convert_rgb=True))


def load_tokenizer(source: str, place: str, family: Family, found: dict[str, Any]) -> Any:
    """Load the tokenizer, and refuse one that is not whole or reads every text alike."""
    if lacking := os.path.isdir(place) and _lacking_files(place, family):
        raise BadValue(f'{source}: {" and ".join(lacking)} of its tokenizer '
                       f'{"is" if len(lacking) == 1 else "are"} not in the folder; without, other '
                       'tokens may be read, and features would be others')
    tokenizer = loaded(source, lambda: transformers.AutoTokenizer.from_pretrained(
        place, trust_remote_code=False, split_special_tokens=True, **found))
    # transformers 5 builds one without complaint where the vocabulary is missing.
    read = loaded(source, lambda: tokenizer(list(_PROBE), add_special_tokens=False)['input_ids'])
    if len({token for ids in read for token in ids}) < 2:
        raise BadValue(f'{source}: its tokenizer reads every text alike, as if it had no '
                       f'vocabulary; tokenizer.json, vocab.json or vocab.txt is missing or empty')
    return tokenizer


def _lacking_files(folder: str, family: Family) -> list[str]:
    """List the files without which a tokenizer guesses its settings, or has half a vocabulary."""
    def there(name: str) -> bool:
        return os.path.isfile(os.path.join(folder, name))

    needed = [] if family.vocabulary_alone else ['tokenizer_config.json']
    if not there('tokenizer.json') and any(map(there, _HALVES)):
        needed += _HALVES
    return [name for name in needed if not there(name)]


def load_network(source: str, place: str, family: Family, found: dict[str, Any]) -> nn.Module:
    """Load both towers in float32, and refuse weights that are not whole, or of more than them."""
    kind = getattr(transformers, family.model)
    found = found | (dict(attn_implementation='eager') if family.eager else {})
    with quietly(place):
        network, report = loaded(source, lambda: kind.from_pretrained(
            place, output_loading_info=True, trust_remote_code=False,
            ignore_mismatched_sizes=True, **found))  # the report names them
    lacking = sorted({*report['missing_keys'], *(str(key[0]) if isinstance(key, tuple) else key
                                                 for key in report['mismatched_keys'])})
    if lacking:
        raise BadValue(f'{source}: the weights do not fill {family.model}: {len(lacking)} are '
                       f'missing or of another shape, first {lacking[0]}')
    foreign = sorted(key for key in report['unexpected_keys'] if not _UNUSED.search(key))
    if foreign:
        raise BadValue(f'{source}: its weights hold {len(foreign)} that {family.model} does not '
                       f'use by its config.json, first {foreign[0]}; has it fewer layers than they?'
                       )
    check_finite(network.state_dict(), source)
    return network.float()


@contextlib.contextmanager
def quietly(place: str) -> Iterator[None]:
    """Show progress of a download, but none of reading a folder, which takes a moment.

    The library's table of weights that do not fit is left out, too: one line says what is wrong.
    """
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled() and os.path.isdir(place)
    level = logging.get_verbosity()
    if shown:
        logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
