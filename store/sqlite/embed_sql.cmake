# Writes a C file with the texts of SQL files: cmake -DOUTPUT=F -DINPUTS="a.sql;b.sql" -P embed_sql.cmake.
# The text of x.sql becomes `const char weir_sqlite_sql_x[]`, terminated by a NUL.
set(text "#include \"store/sqlite/sqlite_schema.h\"\n")
foreach(input IN LISTS INPUTS)
  get_filename_component(name ${input} NAME_WE)
  file(READ ${input} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND text "\nconst char weir_sqlite_sql_${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
