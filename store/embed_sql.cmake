# Writes a C file with the texts of SQL files:
#   cmake -DOUTPUT=F -DHEADER=store/x.h -DPREFIX=p_ -DINPUTS="a.sql;b.sql" -P embed_sql.cmake
# The text of a.sql becomes `const char p_a[]`, terminated by a NUL; HEADER declares it.
set(text "#include \"${HEADER}\"\n")
foreach(input IN LISTS INPUTS)
  get_filename_component(name ${input} NAME_WE)
  file(READ ${input} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "\nconst char ${PREFIX}${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
