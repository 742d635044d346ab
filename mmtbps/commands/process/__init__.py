"""Ends of processes: exit codes, signals, groups of processes and commands that run others."""

from .command_process import run_process
from .exit_codes import ExitCode, exit_code_of, list_exit_codes
from .process_group import await_launcher, end_command, group_rank, is_loss_of_peer
from .stop_signals import StopSignals, Terminated

__all__ = ['ExitCode', 'StopSignals', 'Terminated', 'await_launcher', 'end_command',
           'exit_code_of', 'group_rank', 'is_loss_of_peer', 'list_exit_codes', 'run_process']
