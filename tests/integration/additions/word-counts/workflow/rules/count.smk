rule count:
    output:
        "results/counts/{name}.tsv",
    log:
        "logs/count/{name}.log",
    params:
        text=lambda wildcards: config["texts"][wildcards.name],
        lower=config["lower"],
    script:
        "../scripts/count.py"


rule table:
    input:
        expand("results/counts/{name}.tsv", name=config["texts"]),
    output:
        "results/words.tsv",
    log:
        "logs/table.log",
    params:
        longest=config["longest"],
    shell:
        "cat {input:q} 2> {log:q} | sort | head -n {params.longest:q} > {output:q}"
