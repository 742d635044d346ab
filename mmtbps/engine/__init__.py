"""Training machinery: launch, hooks, parameter groups and mixed precision."""

from .checkpoint_hook import DurableCheckpointHook
from .compile_hook import CompileHook
from .consensus_division_hook import ConsensusDivisionHook
from .finite_loss_hook import FiniteLossHook
from .merged_groups import MergedGroupsConstructor
from .mixed_precision import MixedPrecisionOptimWrapper
from .mixup_hook import FeatureMixupHook
from .muon import MuonAdamW, MuonConstructor
from .parameter_rules import ParameterRulesConstructor
from .preflight_hook import PreflightHook
from .rank_list_hook import RankListHook
from .rehearsal_hook import RehearsalHook
from .resume_hook import ResumeHook
from .scalars_hook import DeferredScalarsHook
from .schedules import CosineDecayLR, StepDecayLR, WarmUpLR
from .seed_hook import EpochSeedHook
from .step_loop_hook import StepLoopHook
from .strict_load_hook import StrictLoadHook

__all__ = ['CompileHook', 'ConsensusDivisionHook', 'CosineDecayLR', 'DeferredScalarsHook',
           'DurableCheckpointHook', 'EpochSeedHook', 'FeatureMixupHook', 'FiniteLossHook',
           'MergedGroupsConstructor', 'MixedPrecisionOptimWrapper', 'MuonAdamW', 'MuonConstructor',
           'ParameterRulesConstructor', 'PreflightHook', 'RankListHook', 'RehearsalHook',
           'ResumeHook', 'StepDecayLR', 'StepLoopHook', 'StrictLoadHook', 'WarmUpLR']
