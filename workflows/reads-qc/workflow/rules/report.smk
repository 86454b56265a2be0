rule summarize:
    input:
        checked=expand("work/checked/{sample}.json", sample=SAMPLES),
        raw=expand("work/quality/raw/{sample}.json", sample=SAMPLES),
        trimmed=expand("work/quality/trimmed/{sample}.json", sample=SAMPLES),
        trimming=expand("work/trimming/{sample}.json", sample=SAMPLES),
    output:
        table="results/summary.tsv",
        section="work/report/summary_mqc.json",
        files="work/report/multiqc_files.txt",
    log:
        "logs/summarize.log",
    conda:
        "../envs/reads-qc.yaml"
    params:
        samples=list(SAMPLES),
        sections=[
            "work/report/methods_mqc.json",
            "work/report/versions_mqc_versions.yaml",
        ],
    script:
        "../scripts/summarize.py"


rule describe:
    output:
        methods="work/report/methods_mqc.json",
        versions="work/report/versions_mqc_versions.yaml",
    log:
        "logs/describe.log",
    conda:
        "../envs/reads-qc.yaml"
    params:
        settings=dict(config),
        snakemake=snakemake_version,
    script:
        "../scripts/describe.py"


rule multiqc:
    input:
        "work/report/summary_mqc.json",
        "work/report/methods_mqc.json",
        "work/report/versions_mqc_versions.yaml",
        expand("work/quality/raw/{sample}.json", sample=SAMPLES),
        expand("work/quality/trimmed/{sample}.json", sample=SAMPLES),
        expand("work/trimming/{sample}.json", sample=SAMPLES),
        files="work/report/multiqc_files.txt",
    output:
        temp("work/multiqc.html"),
    log:
        "logs/multiqc.log",
    conda:
        "../envs/reads-qc.yaml"
    params:
        config=workflow.source_path("../report/multiqc.yaml"),
        sections=sections_option(),
    shell:
        "multiqc --config {params.config:q} {params.sections:q} --force --no-ansi --no-ai"
        " --no-version-check --no-megaqc-upload --no-data-dir --filename {output:q}"
        " --file-list {input.files:q} > {log:q} 2>&1"


rule report:
    input:
        "work/multiqc.html",
    output:
        "results/report.html",
    log:
        "logs/report.log",
    conda:
        "../envs/reads-qc.yaml"
    script:
        "../scripts/finish_report.py"
