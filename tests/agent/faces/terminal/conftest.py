"""The desk and the finished study of the tests of conversations."""

from tests.agent.desk.chat.conftest import desk, finished, scripted, talk

__all__ = ["desk", "finished", "scripted", "talk"]
