"""Reads preprocessed C and prints the functions and objects named weir_… and weir__v1__… that the headers below a folder
declare with external linkage, one per line."""
import re
import sys

folder = sys.argv[1]
text = []
is_ours = False
for line in sys.stdin:
    marker = re.match(r'# \d+ "([^"]*)"', line)
    if marker:
        is_ours = marker.group(1).startswith(folder)
    elif is_ours:
        text.append(line)
text = "".join(text)

# Removes the bodies of structs, enums and inline functions, which leaves the declarations.
while True:
    shorter = re.sub(r"\{[^{}]*\}", " BODY ", text)
    if shorter == text:
        break
    text = shorter
text = re.sub(r'extern\s+"C"', " ", text)
names = set()
for declaration in re.split(r";|(?<=BODY)\s+(?=static|typedef|struct|enum)", text):
    if re.search(r"\b(static|typedef)\b", declaration):
        continue
    function = re.search(r"\b(weir_[a-z0-9_]+|weir__v1__[a-z0-9_]+)\s*\(", declaration)
    thing = re.search(r"\bextern\b.*\b(weir_[a-z0-9_]+)\s*(\[\s*\])?\s*$", declaration, re.S)
    if function or thing:
        names.add((function or thing).group(1))
print("\n".join(sorted(names)))
