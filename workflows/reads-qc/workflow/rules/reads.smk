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
        "../envs/reads-qc.yaml"
    script:
        "../scripts/check_reads.py"


rule quality_of_raw_reads:
    input:
        reads=checked_reads_of,
    output:
        json="work/quality/raw/{sample}.json",
        html="results/quality/{sample}.raw.html",
    log:
        "logs/quality/{sample}.raw.log",
    conda:
        "../envs/reads-qc.yaml"
    threads: 1
    params:
        options=quality_options(),
    shell:
        "sequali --threads {threads:q} {params.options:q}"
        " --json {output.json:q} --html {output.html:q} {input.reads:q} > {log:q} 2>&1"


rule trim_single:
    input:
        reads=checked_reads_of,
    output:
        reads="results/trimmed/{sample}_R1.fastq.gz",
        json="work/trimming/{sample}.json",
    log:
        "logs/trim/{sample}.log",
    wildcard_constraints:
        sample=matching(SINGLE),
    conda:
        "../envs/reads-qc.yaml"
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
        reads_1="results/trimmed/{sample}_R1.fastq.gz",
        reads_2="results/trimmed/{sample}_R2.fastq.gz",
        json="work/trimming/{sample}.json",
    log:
        "logs/trim/{sample}.log",
    wildcard_constraints:
        sample=matching(PAIRED),
    conda:
        "../envs/reads-qc.yaml"
    threads: 2
    params:
        options=trimming_options(config, paired=True),
    shell:
        "cutadapt --cores {threads:q} {params.options:q} --json {output.json:q}"
        " --output {output.reads_1:q} --paired-output {output.reads_2:q}"
        " {input.reads:q} > {log:q} 2>&1"


rule quality_of_trimmed_reads:
    input:
        reads=trimmed_reads_of,
    output:
        json="work/quality/trimmed/{sample}.json",
        html="results/quality/{sample}.trimmed.html",
    log:
        "logs/quality/{sample}.trimmed.log",
    conda:
        "../envs/reads-qc.yaml"
    threads: 1
    params:
        options=quality_options(),
    shell:
        "sequali --threads {threads:q} {params.options:q}"
        " --json {output.json:q} --html {output.html:q} {input.reads:q} > {log:q} 2>&1"
