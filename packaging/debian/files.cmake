# What Debian wants otherwise than `cmake --install`, in the folder that cpack is about to pack: a changelog of its own beside
# that of the program, and those and the man pages compressed.
set(doc ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/svcdns)
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog.Debian
	"svcdns (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) bookworm; urgency=medium\n\n"
	"  * Packaged from the source tree: changelog.gz tells what is new.\n\n"
	" -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
file(GLOB pages ${doc}/../../man/man*/*)
execute_process(COMMAND gzip -9n ${pages} ${doc}/changelog ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
