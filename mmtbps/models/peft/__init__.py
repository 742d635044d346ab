"""Parameter-efficient tuning: parts that are trained in the place of whole towers."""

from .adapter import ParallelAdapter
from .kv_lora import KeyValueLoRA
from .lora import add_adapters, linear_layers
from .merging import is_adapter, merge_adapters, merge_low_rank, merge_rows
from .mixture import AdapterMixture, collect_balance
from .part import TuningPart, adapters_set_aside, kept_parts
from .prefix import KeyValuePrefix
from .tuning import add_parts, count_trained, kept_settings, tune_towers

__all__ = ['AdapterMixture', 'KeyValueLoRA', 'KeyValuePrefix', 'ParallelAdapter', 'TuningPart',
           'adapters_set_aside', 'add_adapters', 'add_parts', 'collect_balance', 'count_trained',
           'is_adapter', 'kept_parts', 'kept_settings', 'linear_layers', 'merge_adapters',
           'merge_low_rank', 'merge_rows', 'tune_towers']
