"""Readers of data sets, one published format a file."""

from .aptm_files import APTMFiles
from .cuhk_pedes import CUHKPEDES
from .drawn_pedes import DrawnPEDES
from .ham_pedes import HAMPEDES
from .icfg_pedes import ICFGPEDES
from .image_text_pairs import ImageTextPairs
from .itcpr import ITCPR
from .luperson_mllm import LUPersonMLLM
from .luperson_t import LUPersonT
from .mals import MALS
from .pab import PAB, PABUCC
from .rasa_files import RaSaFiles
from .rstp_reid import RSTPReid
from .synth_pedes import SYNTHPEDES
from .tbps_clip_files import TBPSCLIPFiles
from .ufine import UFine3C, UFine6926
from .web_person import WebPerson

__all__ = ['APTMFiles', 'CUHKPEDES', 'DrawnPEDES', 'HAMPEDES', 'ICFGPEDES', 'ITCPR',
           'ImageTextPairs', 'LUPersonMLLM', 'LUPersonT', 'MALS', 'PAB', 'PABUCC', 'RSTPReid',
           'RaSaFiles', 'SYNTHPEDES', 'TBPSCLIPFiles', 'UFine3C', 'UFine6926', 'WebPerson']
