rule prepare:
    input:
        queries=config["queries"],
        database=config["database"],
    output:
        plan="work/plan.json",
        queries=temp(expand("work/queries/{chunk}.fasta", chunk=CHUNKS)),
        query_names=temp("work/queries.tsv"),
        database=temp("work/database.fasta"),
        database_names=temp("work/database.tsv"),
    log:
        "logs/prepare.log",
    conda:
        "../envs/mmseqs2.yaml"
    params:
        program=config["program"],
        settings=search_settings(),
        mmseqs=MMSEQS,
    script:
        "../scripts/prepare.py"


rule build_database:
    input:
        plan="work/plan.json",
        fasta="work/database.fasta",
    output:
        temp(directory("work/database")),
    log:
        "logs/build_database.log",
    conda:
        "../envs/mmseqs2.yaml"
    params:
        mmseqs=MMSEQS,
    script:
        "../scripts/build_database.py"


rule search:
    input:
        plan="work/plan.json",
        queries="work/queries/{chunk}.fasta",
        database="work/database",
    output:
        temp("work/hits/{chunk}.tsv"),
    log:
        "logs/search/{chunk}.log",
    conda:
        "../envs/mmseqs2.yaml"
    threads: config["search_threads"]
    resources:
        mem_mb=search_memory_mb,
    params:
        mmseqs=MMSEQS,
    script:
        "../scripts/search.py"
