"""Figures of a run, written into the page that tells of them: sections of its text, and pictures in the folder of its name."""
import re


def replace_section(document, name, text):
    """What stands between the lines <!-- begin NAME --> and <!-- end NAME -->."""
    pattern = rf'(<!-- begin {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)'
    if not re.search(pattern, document, re.DOTALL):
        raise RuntimeError(f'the document has no section {name}')
    return re.sub(pattern, lambda found: f'{found[1]}{text}\n{found[2]}', document, flags=re.DOTALL)


def write(path, sections, pictures):
    """path: a pathlib.Path; sections: name -> text; pictures: file name -> SVG"""
    text = path.read_text(encoding='utf-8')
    for name, section in sections.items():
        text = replace_section(text, name, section)
    path.write_text(text, encoding='utf-8')
    folder = path.with_suffix('')
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (folder / name).write_text(picture, encoding='utf-8')
