rule out:
    outptu:
        "results/out.txt",
    shell:
        "touch {output:q}"
