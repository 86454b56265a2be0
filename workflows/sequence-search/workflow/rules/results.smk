rule tabulate:
    input:
        plan="work/plan.json",
        query_names="work/queries.tsv",
        database_names=DATABASE["names"],
        hits=expand("work/hits/{chunk}.tsv", chunk=CHUNKS),
    output:
        **TABLES,
    log:
        "logs/tabulate.log",
    conda:
        "../envs/mmseqs2.yaml"
    script:
        "../scripts/tabulate.py"


rule report:
    input:
        plan="work/plan.json",
        query_names="work/queries.tsv",
        database_names=DATABASE["names"],
        hits=expand("work/hits/{chunk}.tsv", chunk=CHUNKS),
    output:
        "results/report.html",
    log:
        "logs/report.log",
    conda:
        "../envs/mmseqs2.yaml"
    params:
        max_hits=config["report_hits"],
        max_alignments=config["report_alignments"],
        alignments_text=config["alignments_text"],
    script:
        "../scripts/report.py"


if EXPORTS:

    rule export:
        input:
            **TABLES,
        output:
            **EXPORTS,
        log:
            "logs/export.log",
        conda:
            "../envs/mmseqs2.yaml"
        params:
            desk=desk_folder(),
        script:
            "../scripts/export.py"
