"""Stage `init_random`: the random weights that students start from."""

from pipelines.cli import run
from pipelines.initial_students import write_initial_student
from textbook.params import Params


def main(params: Params) -> None:
    """Write a student with random weights as a Hugging Face folder."""
    write_initial_student(params, "random", lambda _teacher, _student, _folder: None)


if __name__ == "__main__":
    run(main)
