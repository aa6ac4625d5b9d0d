"""The desk and the finished study of the tests of conversations."""

from tests.agent.desk.chat.conftest import desk, finished, finished_home, scripted, talk

__all__ = ["desk", "finished", "finished_home", "scripted", "talk"]
