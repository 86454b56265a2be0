rule information:
    input:
        table=config["information"],
    output:
        information="results/information.json",
        issues="results/issues.tsv",
    log:
        "logs/information.log",
    conda:
        "../envs/tables.yaml"
    params:
        table_name=original_name(config["information"]),
        run_names=RUN_NAMES,
        row_schema=workflow.source_path("../schemas/information.schema.yaml"),
        desk=desk_folder(),
        stop_at_problems=config["stop_at_problems"],
    script:
        "../scripts/information.py"
