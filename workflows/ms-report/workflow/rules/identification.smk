rule database:
    input:
        fasta=config["fasta"],
    output:
        fasta=temp("work/database.fasta"),
        notes="work/database.json",
    log:
        "logs/database.log",
    conda:
        "../envs/pyopenms.yaml"
    params:
        name=original_name(config["fasta"]),
    script:
        "../scripts/database.py"


rule search:
    input:
        mzml=mzml_of,
        fasta="work/database.fasta",
        metrics="work/metrics/{run}.json",
    output:
        identifications="results/identifications/{run}.idXML",
        problem="work/search/{run}.json",
    log:
        "logs/search/{run}.log",
    conda:
        "../envs/pyopenms.yaml"
    threads: config["search_threads"]
    resources:
        # Spectra in memory (about twice the file size) and peptides of the database.
        mem_mb=lambda wildcards, input: int(1500 + 4 * input.size_mb),
    params:
        name=name_of,
        settings=settings(SEARCH_SETTINGS),
    script:
        "../scripts/search.py"


rule identify:
    input:
        fasta="work/database.fasta",
        notes="work/database.json",
        identifications=expand("results/identifications/{run}.idXML", run=RUNS),
        problems=expand("work/search/{run}.json", run=RUNS),
    output:
        psms="results/psms.tsv",
        proteins="results/proteins.tsv",
        identification="work/identification.json",
    log:
        "logs/identify.log",
    conda:
        "../envs/pyopenms.yaml"
    params:
        runs=list(RUNS),
        run_names=RUN_NAMES,
        fasta_name=original_name(config["fasta"]),
        psm_fdr=config["psm_fdr"],
        min_peptides=config["min_peptides"],
        enzyme=config["enzyme"],
    script:
        "../scripts/identify.py"
