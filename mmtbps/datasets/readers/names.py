"""Names by which commands know the readers."""

from ..tbps_dataset import TBPSDataset
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

__all__ = ['READERS']

READERS: dict[str, type[TBPSDataset]] = dict(
    cuhk=CUHKPEDES, icfg=ICFGPEDES, rstp=RSTPReid, drawn=DrawnPEDES, ufine6926=UFine6926,
    ufine3c=UFine3C, itcpr=ITCPR, pab=PAB, pab_ucc=PABUCC, mals=MALS, synth_pedes=SYNTHPEDES,
    ham_pedes=HAMPEDES, luperson_t=LUPersonT, luperson_mllm=LUPersonMLLM, web_person=WebPerson,
    aptm=APTMFiles, rasa=RaSaFiles, tbps_clip=TBPSCLIPFiles, pairs=ImageTextPairs,
    jsonl=TBPSDataset)
