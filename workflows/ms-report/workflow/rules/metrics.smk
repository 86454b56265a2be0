rule measure:
    input:
        mzml=mzml_of,
    output:
        metrics="work/metrics/{run}.json",
        chromatogram="results/chromatograms/{run}.tsv",
    log:
        "logs/measure/{run}.log",
    conda:
        "../envs/pyopenms.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        name=name_of,
        points=config["chromatogram_points"],
    script:
        "../scripts/measure.py"
