"""Values in shell commands that are not quoted."""

from __future__ import annotations

from services.catalogue.shell_quoting import unquoted_values
from services.settings import HERE

SNAKEFILE = '''
rule one:
    output: "results/{sample}.txt"
    params: label=config["label"]
    shell:
        "echo {params.label} {params.label:q} {config[title]} > {output}"
        " # {{params.braces}} {wildcards.sample}"
rule two:
    shell: """
        awk '{{print $1}}' {input:q} {params[other]}
    """
rule three:
    message: "{wildcards.sample} is no command"
    run:
        print(f"{params}")
'''


def test_unquoted_values_names_each_value_once(tmp_path):
    (tmp_path / "workflow/rules").mkdir(parents=True)
    (tmp_path / "workflow/Snakefile").write_text(SNAKEFILE)
    (tmp_path / "workflow/rules/well.smk").write_text('rule a:\n    shell: "ls {params.x:q}"\n')
    assert unquoted_values(tmp_path) == {
        "workflow/Snakefile": ["params.label", "config[title]", "wildcards.sample", "params[other]"]
    }


def test_a_snakefile_with_a_syntax_error_has_none(tmp_path):
    (tmp_path / "Snakefile").write_text("rule a:\n    shell: (\n")
    assert unquoted_values(tmp_path) == {}


def test_bundled_workflows_quote_every_value():
    for folder in (HERE / "workflows").iterdir():
        assert unquoted_values(folder) == {}, folder.name
