"""The schedule of `drawn` with Muon 6e-3 for the weight matrices of the towers."""

from mmengine.config import read_base

from mmtbps.engine import MuonAdamW, MuonConstructor

with read_base():
    from .drawn import *

optim_wrapper.update(constructor=MuonConstructor)
optim_wrapper.optimizer.update(type=MuonAdamW, lr=6e-3, newton_schulz_steps=4)
