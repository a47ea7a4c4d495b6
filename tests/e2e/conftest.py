import pytest

from stage import Stage


@pytest.fixture
def stage():
    place = Stage()
    try:
        yield place
    finally:
        place.close()
