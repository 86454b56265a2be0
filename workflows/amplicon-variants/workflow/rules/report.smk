rule summarize:
    input:
        checked=expand("work/checked/{sample}.json", sample=SAMPLES),
        trimming=expand("work/trimming/{sample}.json", sample=SAMPLES),
        flagstat=expand("work/statistics/{sample}.flagstat", sample=SAMPLES),
        coverage=expand("work/statistics/{sample}.coverage", sample=SAMPLES),
        vcf="results/variants.vcf.gz",
    output:
        table="results/samples.tsv",
        section="work/report/samples_mqc.json",
    log:
        "logs/summarize.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        samples=list(SAMPLES),
    script:
        "../scripts/summarize.py"


rule describe:
    output:
        methods="work/report/methods_mqc.json",
        versions="work/report/versions_mqc_versions.yaml",
    log:
        "logs/describe.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        settings=dict(config),
        snakemake=snakemake_version,
    script:
        "../scripts/describe.py"


rule multiqc:
    input:
        "work/report/samples_mqc.json",
        "work/report/methods_mqc.json",
        "work/report/versions_mqc_versions.yaml",
        "work/statistics/variants.bcftools_stats",
        expand("work/statistics/{sample}.flagstat", sample=SAMPLES),
        expand("work/statistics/{sample}.stats", sample=SAMPLES),
        expand("work/statistics/{sample}.coverage", sample=SAMPLES),
        expand("work/trimming/{sample}.json", sample=SAMPLES),
    output:
        temp("work/multiqc.html"),
    log:
        "logs/multiqc.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        config=workflow.source_path("../report/multiqc.yaml"),
        folders=["work/report", "work/statistics", "work/trimming"],
    shell:
        "multiqc --config {params.config:q} --force --no-ansi --no-ai --no-version-check"
        " --no-megaqc-upload --no-data-dir --filename {output:q} {params.folders:q}"
        " > {log:q} 2>&1"


rule report:
    input:
        "work/multiqc.html",
    output:
        "results/report.html",
    log:
        "logs/report.log",
    conda:
        "../envs/amplicon-variants.yaml"
    script:
        "../scripts/finish_report.py"
