"""root: the folder of a server block's files, and of no other block's."""

COREFILE = '''
    one.test:{PORT} {
        root zones
        hosts table one.test
    }
    two.test:{PORT} {
        hosts table two.test
    }
'''


def test_files_of_a_block(svcdns):
    server = svcdns(COREFILE, files={'zones/table': '10.0.0.1 a.one.test\n', 'table': '10.0.0.2 a.two.test\n'})
    for name, address in ('a.one.test', '10.0.0.1'), ('a.two.test', '10.0.0.2'):
        assert [record.to_text() for rrset in server.ask(name).answer for record in rrset] == [address]
