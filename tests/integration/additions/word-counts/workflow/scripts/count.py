"""Counts the words of one text."""

from collections import Counter
from pathlib import Path

job = globals()["snakemake"]
text = job.params.text.lower() if job.params.lower else job.params.text
lines = [f"{word}\t{number}\n" for word, number in Counter(text.split()).most_common()]
Path(job.output[0]).write_text("".join(lines))
