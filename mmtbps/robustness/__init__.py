"""Robustness of models: other data, changed captions, worse pictures, more strangers."""

from .conditions import CONDITIONS, Condition, choose_conditions
from .run import CLEAN, Outcome, RobustnessRun, read_outcomes
from .subjects import Subjects, read_subjects
from .table import condition_table, cross_domain_table

__all__ = ['CLEAN', 'CONDITIONS', 'Condition', 'Outcome', 'RobustnessRun', 'Subjects',
           'choose_conditions', 'condition_table', 'cross_domain_table', 'read_outcomes',
           'read_subjects']
