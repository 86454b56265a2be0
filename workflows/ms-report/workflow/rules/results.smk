rule tabulate:
    input:
        unpack(report_inputs),
    output:
        metrics="results/metrics.tsv",
        summary="results/summary.json",
    log:
        "logs/tabulate.log",
    conda:
        "../envs/pyopenms.yaml"
    script:
        "../scripts/tabulate.py"


rule report:
    input:
        unpack(report_inputs),
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    conda:
        "../envs/pyopenms.yaml"
    params:
        title=config["title"],
        settings=settings(REPORTED_SETTINGS),
    script:
        "../scripts/report.py"
