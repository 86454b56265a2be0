# Built once per database content: Rundesk caches the output for all runs (--cache).
rule database:
    input:
        config["database"],
    output:
        **DATABASE,
    log:
        "logs/database.log",
    cache: True
    conda:
        "../envs/mmseqs2.yaml"
    params:
        read_as=READ_AS[config["program"]],
        mmseqs=MMSEQS,
        release=mmseqs_release(),
        code=code_digest(),
    script:
        "../scripts/database.py"


# The k-mer index of a protein database, which every search would otherwise build again. Empty for
# small databases.
rule index:
    input:
        **DATABASE,
    output:
        **INDEX,
        table_about="work/index/about.json",
    log:
        "logs/index.log",
    cache: True
    conda:
        "../envs/mmseqs2.yaml"
    threads: 8
    params:
        mmseqs=MMSEQS,
        index_from=config["index_from"],
        sensitivity=config["sensitivity"],
        masked=config["mask_low_complexity"],
    script:
        "../scripts/index.py"


rule prepare:
    input:
        queries=config["queries"],
        about=DATABASE["about"],
    output:
        plan="work/plan.json",
        queries=temp(expand("work/queries/{chunk}.fasta", chunk=CHUNKS)),
        query_names=temp("work/queries.tsv"),
    log:
        "logs/prepare.log",
    conda:
        "../envs/mmseqs2.yaml"
    params:
        program=config["program"],
        database=Path(config["database"]).name,
        settings=search_settings(),
    script:
        "../scripts/prepare.py"


rule search:
    input:
        **DATABASE,
        **INDEX,
        plan="work/plan.json",
        queries="work/queries/{chunk}.fasta",
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
