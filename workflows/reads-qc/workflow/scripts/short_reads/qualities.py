"""Encoding of base qualities.

Sequencers before Illumina 1.8 (2011) wrote Phred+64, and Solexa before 2008 wrote Solexa scores
with the same offset (Cock et al., 2010, doi:10.1093/nar/gkp1137).
"""

import math

PHRED33, PHRED64, SOLEXA = "Phred+33", "Phred+64", "Solexa+64"
LOWEST, HIGHEST = "!", "~"
LOWEST_SOLEXA, LOWEST_PHRED64 = ";", "@"
HIGHEST_USUAL_33 = "J"  # Q41 in Phred+33
HIGHEST_USUAL_64 = "i"  # Q41 in Phred+64
LOW_64 = "E"  # Q5 in Phred+64; files with higher qualities than Q41 still have lower ones
MAX_LENGTH_64 = 500  # nt; those sequencers wrote short reads


def encoding_of(letters: set[str], longest: int) -> str:
    """Return the encoding of all quality letters of a sample, whose longest read has `longest` nt.

    Without letters above J (Q41), the encoding is Phred+33: letters between are valid in both.
    """
    if not letters or longest > MAX_LENGTH_64:
        return PHRED33
    low, high = min(letters), max(letters)
    if low < LOWEST_SOLEXA or high <= HIGHEST_USUAL_33:
        return PHRED33
    if high > HIGHEST_USUAL_64 and low > LOW_64:
        return PHRED33
    return PHRED64 if low >= LOWEST_PHRED64 else SOLEXA


def to_phred33(encoding: str) -> dict[int, int]:
    """Return a table for `str.translate` from an encoding with offset 64 to Phred+33."""
    codes = range(ord(LOWEST_SOLEXA), ord(HIGHEST) + 1)
    convert = phred_of_solexa if encoding == SOLEXA else int
    return {code: 33 + max(convert(code - 64), 0) for code in codes}


def phred_of_solexa(score: int) -> int:
    return round(10 * math.log10(10 ** (score / 10) + 1))
