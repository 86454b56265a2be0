rule call_variants:
    input:
        bams=expand("results/alignments/{sample}.bam", sample=SAMPLES),
        bais=expand("results/alignments/{sample}.bam.bai", sample=SAMPLES),
        reference=REFERENCE,
        fai=f"{REFERENCE}.fai",
    output:
        vcf="results/variants.vcf.gz",
        tbi="results/variants.vcf.gz.tbi",
        stats="work/statistics/variants.bcftools_stats",
    log:
        "logs/call_variants.log",
    conda:
        "../envs/amplicon-variants.yaml"
    threads: 2
    params:
        samples=list(SAMPLES),
        ploidy=config["ploidy"],
        min_mapping_quality=config["min_mapping_quality"],
        min_base_quality=config["min_base_quality"],
        max_depth=config["max_depth"],
        min_variant_quality=config["min_variant_quality"],
        min_variant_depth=config["min_variant_depth"],
    script:
        "../scripts/call_variants.py"


rule tabulate_variants:
    input:
        vcf="results/variants.vcf.gz",
        tbi="results/variants.vcf.gz.tbi",
    output:
        "results/variants.tsv",
    log:
        "logs/tabulate_variants.log",
    conda:
        "../envs/amplicon-variants.yaml"
    script:
        "../scripts/tabulate_variants.py"


rule draw_variants:
    input:
        vcf="results/variants.vcf.gz",
        tbi="results/variants.vcf.gz.tbi",
        fai=f"{REFERENCE}.fai",
        depths=expand("work/depth/{sample}.tsv", sample=SAMPLES),
    output:
        "results/variants.html",
    log:
        "logs/draw_variants.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        samples=list(SAMPLES),
        settings={key: value for key, value in config.items() if key != "samples"},
        snakemake=snakemake_version,
    script:
        "../scripts/draw_variants.py"
