"""The names of students, as a user reads them."""


def student_name(task: str, init: str, teacher: str, textbook: str, top_percent: float = 100, shape: str = "") -> str:
    """The name of a student in tables, in progress messages and in MLflow."""
    part = "" if top_percent == 100 else f" · top {top_percent:g} %"
    return f"{task} · {init} · {teacher} · {textbook}{part}" + (f" · {shape}" if shape else "")
