"""Policies: which projects get the lots of a period, one file each.

A policy is a function of a `Situation` and of a memory of its own; see `Policy`. It is entered in `POLICIES`.
"""

from engine.planning.policies.base import Policy
from engine.planning.policies.equal_split import EqualSplit
from engine.planning.policies.index_kill import IndexKill
from engine.planning.policies.knowledge_gradient import KnowledgeGradient, KnowledgeGradientLots
from engine.planning.policies.myopic import Myopic
from engine.planning.policies.rolling import Clairvoyant, Rolling
from engine.planning.policies.static import Static
from engine.planning.policies.thompson import Thompson

POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        EqualSplit(),
        Static(),
        Myopic(),
        Rolling(),
        Thompson(),
        KnowledgeGradient(),
        KnowledgeGradientLots(),
        IndexKill(),
        Clairvoyant(),
    )
}

__all__ = ["POLICIES", "Policy"]
