rule check_reads:
    input:
        reads=reads_of,
    output:
        checked="work/checked/{sample}.json",
        reads=temp(
            [
                "work/reads/{sample}_R1.fastq",
                "work/reads/{sample}_R2.fastq",
            ]
        ),
    log:
        "logs/check/{sample}.log",
    conda:
        "../envs/amplicon-variants.yaml"
    script:
        "../scripts/check_reads.py"


rule prepare_reference:
    input:
        config["reference"],
    output:
        fasta=REFERENCE,
        fai=f"{REFERENCE}.fai",
        index="work/reference/reference.mmi",
    log:
        "logs/prepare_reference.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        preset=config["preset"],
    script:
        "../scripts/prepare_reference.py"


rule trim_single:
    input:
        reads=checked_reads_of,
    output:
        reads=temp("work/trimmed/{sample}_R1.fastq.gz"),
        json="work/trimming/{sample}.json",
    log:
        "logs/trim/{sample}.log",
    wildcard_constraints:
        sample=matching(SINGLE),
    conda:
        "../envs/amplicon-variants.yaml"
    threads: 2
    params:
        options=trimming_options(config, paired=False),
    shell:
        "cutadapt --cores {threads:q} {params.options:q} --json {output.json:q}"
        " --output {output.reads:q} {input.reads:q} > {log:q} 2>&1"


rule trim_paired:
    input:
        reads=checked_reads_of,
    output:
        reads_1=temp("work/trimmed/{sample}_R1.fastq.gz"),
        reads_2=temp("work/trimmed/{sample}_R2.fastq.gz"),
        json="work/trimming/{sample}.json",
    log:
        "logs/trim/{sample}.log",
    wildcard_constraints:
        sample=matching(PAIRED),
    conda:
        "../envs/amplicon-variants.yaml"
    threads: 2
    params:
        options=trimming_options(config, paired=True),
    shell:
        "cutadapt --cores {threads:q} {params.options:q} --json {output.json:q}"
        " --output {output.reads_1:q} --paired-output {output.reads_2:q}"
        " {input.reads:q} > {log:q} 2>&1"


rule align:
    input:
        reads=trimmed_reads_of,
        reference=REFERENCE,
        fai=f"{REFERENCE}.fai",
        index="work/reference/reference.mmi",
    output:
        bam="results/alignments/{sample}.bam",
        bai="results/alignments/{sample}.bam.bai",
    log:
        "logs/align/{sample}.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        preset=config["preset"],
        max_insert=config["max_insert"],
    script:
        "../scripts/align.py"


rule measure_alignment:
    input:
        bam="results/alignments/{sample}.bam",
        bai="results/alignments/{sample}.bam.bai",
        reference=REFERENCE,
        fai=f"{REFERENCE}.fai",
    output:
        flagstat="work/statistics/{sample}.flagstat",
        stats="work/statistics/{sample}.stats",
        coverage="work/statistics/{sample}.coverage",
        depth=temp("work/depth/{sample}.tsv"),
        covered=temp("work/covered/{sample}.tsv"),
    log:
        "logs/measure_alignment/{sample}.log",
    conda:
        "../envs/amplicon-variants.yaml"
    params:
        min_mapping_quality=config["min_mapping_quality"],
        min_base_quality=config["min_base_quality"],
    script:
        "../scripts/measure_alignment.py"
