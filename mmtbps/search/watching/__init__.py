"""Watching of a source: people who come are held against saved sentences, and alarms are sent."""

from .alarms import Alarm, Finding, alarm_id
from .judging import RuleJudge
from .outbox import Outbox, OutboxUnusable
from .receivers import FileReceiver, NotReceived, Receiver
from .rules import Rule, read_rules
from .sources import FolderSource, Source, StillSource
from .watch import Watch

__all__ = ['Alarm', 'FileReceiver', 'Finding', 'FolderSource', 'RuleJudge', 'NotReceived', 'Outbox',
           'OutboxUnusable', 'Receiver', 'Rule', 'Source', 'StillSource', 'Watch', 'alarm_id',
           'read_rules']
