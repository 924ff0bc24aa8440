"""The HTML of a mail as its reader sees it."""

import pytest

from adapters.mail.html_text import MOST_TAGS, read, visible_length


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
        ("<div>One</div><div><br></div><div>Two</div>", "One\n\nTwo"),
        ("<h1>Head</h1>text", "Head\n\ntext"),
        ("<div>  white \n\t space </div>", "white space"),
        ("a <b>bold</b>, <i>it</i>alic<span> span</span>", "a bold, italic span"),
        ("<p>never <p>closed <div>at <b>all", "never\n\nclosed\nat all"),
        ("</div></p></b>stray<br/>ends", "stray\nends"),
        ("1 < 2 & 3 > 2 <b>x</b>", "1 < 2 & 3 > 2 x"),
        ("&lt;b&gt; &amp; &eacute;&#8364;&#x20AC; &nbsp;&nosuch; &eacute", "<b> & é€€ &nosuch; é"),
        ("&#0;&#xD800;&#99999999999;<b>x</b>", "\ufffd\ufffd\ufffdx"),
        ("<b>a</b><!-- <p>comment</p> -->b<!---->c<!-->d", "abcd"),
        ("<b>a</b><!-- never ended, so it is text", "a never ended, so it is text"),
        ("<b>a</b><![CDATA[b]]>", "ab]]>"),
        ("<!DOCTYPE html><?xml version='1.0'?><![if !mso]>a<![endif]>", "a"),
        ("<head><title>no</title><style>p{}</style></head><body>yes<script>no</script></body>", "yes"),
        ("<head><p>a head that does not end", "a head that does not end"),
        ("<style>never ended <p>text", "never ended\n\ntext"),
        ("<STYLE>x</STYLE><SCRIPT>y</SCRIPT>z", "z"),
        ('<a title="a > b" href="x">y</a>', "y"),
        ("<a title='never ended>x</a> <b>y</b>", "x y"),
        ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd"),
        ('<div style="white-space: pre-wrap">a\nb  c</div>', "a\nb  c"),
        ("<div>-- <br>Ana</div>", "-- \nAna"),
        ("<p>a</p><hr><p>b</p>", "a\n\nb"),
        ("<p class=MsoNormal>a</p><p class=MsoNormal>b<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p>"
         "<p class=MsoNormal>c</p>", "a\nb\n\nc"),
        ("plain\ntext is\n\nleft", "plain\ntext is\n\nleft"),
        ("a < b\nand b > c", "a < b\nand b > c"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_stays_in_its_lines_and_paragraphs(html: str, text: str) -> None:
    assert read(html) == text


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none">preheader<div>more</div></div>',
        "<span style='color:red; DISPLAY : NONE !important'>preheader</span>",
        "<p hidden>preheader</p>",
        '<p hidden="hidden">preheader</p>',
        '<div style="visibility: hidden">preheader<br><img alt="A picture"></div>',
        '<table><tr><td style="display:none">preheader</td></tr></table>',
        "<template>preheader</template>",
    ],
)
def test_what_is_hidden_is_not_read(hidden: str) -> None:
    assert read(f"<div>before</div>{hidden}<div>after</div>") == "before\nafter" or "preheader" not in read(hidden)
    assert "preheader" not in read(f"before{hidden}after")
    assert read(f"<div>{hidden}</div>after") == "after"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('see <a href="https://a.example/x?b=1&amp;c=2">this page</a>.', "see this page (https://a.example/x?b=1&c=2)."),
        ('<a href="https://a.example/x">https://a.example/x</a>', "https://a.example/x"),
        ('<a href="https://www.a.example/">a.example</a>', "a.example"),
        ('<a href="mailto:ana@x.example?subject=hi">Ana@x.example</a>', "Ana@x.example"),
        ('<a href="mailto:ana@x.example">Ana</a>', "Ana (mailto:ana@x.example)"),
        ('<a href="tel:+4930123">+49 30 123</a>', "+49 30 123"),
        ('<a href="javascript:alert(1)">press</a>', "press"),
        ('<a href="data:text/html,x">press</a>', "press"),
        ('<a href="#top">up</a><a name=x>here</a>', "uphere"),
        ('<a href="https://a.example/"><img src="x" alt="Pay now"></a>', "[Pay now] (https://a.example/)"),
        ('<a href="https://a.example/"><img src="x"></a>b', "b"),
        ('<a href="https://a.example/">one<a href="https://b.example/">two', 
         "one (https://a.example/)two (https://b.example/)"),
        ('<a href="https://a.example/">one</a> two', "one (https://a.example/) two"),
        (f'<a href="https://a.example/{"x" * 5000}">long</a>', "long"),
        ('<a href=" https://a.example/\n x ">broken</a>', "broken (https://a.example/x)"),
    ],
)  # fmt: skip
def test_a_link_says_where_it_goes_if_its_text_does_not(html: str, text: str) -> None:
    assert read(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter"),
        ("<ol><li>one</li><li>two</li></ol>", "1. one\n2. two"),
        ("<ol start=9><li>one</li><li>two</li></ol>", "9. one\n10. two"),
        ("<ol start=99999999999999999999><li>one</li></ol>", "1. one"),
        ("<ul><li>one<ul><li>deep</li></ul></li><li><p>two</p></li></ul>", "- one\n  - deep\n- two"),
        ("<ul><li></li><li>x</li></ul>", "- x"),
        ("<li>no list</li>", "- no list"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\nb\nc\nd"),
    ],
)
def test_lists_have_their_marks(html: str, text: str) -> None:
    assert read(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><th>Date</th><th>Sum</th></tr><tr><td>1 May</td><td>9 EUR</td></tr></table>",
         "Date | Sum\n1 May | 9 EUR"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d</table>", "a | b\nc | d"),
        ("<table><tr><td><div>a</div></td><td><div>b</div></td></tr></table>", "a | b"),
        ("<table><tr><td>a</td><td></td><td>c</td></tr></table>", "a |  | c"),
        ("<table><tr><td>a</td><td>&nbsp;</td></tr></table>", "a"),
        ("<table><tr><td>Subject: </td><td>Hello</td></tr></table>", "Subject: Hello"),
        ("<table><tr><td>one<br>two</td><td>three</td></tr></table>", "one\ntwo\nthree"),
        ("<table><tr><td><table><tr><td>Dear Ana,</td></tr><tr><td>pay.</td></tr></table></td></tr></table>",
         "Dear Ana,\npay."),
    ],
)  # fmt: skip
def test_tables_stay_tables_and_those_that_are_lay_out_become_lines(html: str, text: str) -> None:
    assert read(html) == text


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        ('<img alt="A red error box: payment failed">', "[A red error box: payment failed]"),
        ('<img alt="😀">', "😀"),
        ('<img alt="image001.png">', ""),
        ('<img alt="Logo">', ""),
        ('<img alt="">', ""),
        ("<img>", ""),
        ('<img alt="open" width="1" height="1">', ""),
        ('<img alt="open" width=0>', ""),
    ],
)
def test_a_picture_is_what_it_is_said_to_show_if_that_says_something(picture: str, text: str) -> None:
    assert read(f"<p>{picture}</p>") == text


GMAIL = (
    '<div dir="ltr">Mine<br></div><br><div class="gmail_quote"><div class="gmail_attr">On Monday, Bob wrote:<br></div>'
    '<blockquote class="gmail_quote" style="margin:0"><div>his</div><br>'
    "<blockquote>older</blockquote></blockquote></div>"
)
GMAIL_FORWARD = (
    '<div>See below</div><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>'
    "From: <b>Bob</b> &lt;bob@x.example&gt;<br>Subject: Hi<br></div><br><div>his</div></div>"
)
OUTLOOK = (
    '<body><div>Mine</div><div id="x_appendonsend"></div><hr><div id="x_divRplyFwdMsg" dir="ltr"><b>From:</b> Bob<br>'
    "<b>Sent:</b> Monday</div><div>his</div><div>more</div></body>"
)
OUTLOOK_ON_A_DESKTOP = (
    "<p class=MsoNormal>Mine<o:p></o:p></p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'>"
    "<p class=MsoNormal><b>From:</b> Bob<br><b>Sent:</b> Monday<o:p></o:p></p></div></div>"
    "<p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>his<o:p></o:p></p>"
)
YAHOO = (
    '<div class="ydp1">Mine</div><div id="ydp2yahoo_quoted_1" class="ydp2yahoo_quoted"><div>'
    "<div>On Monday, Bob wrote:</div><div><br></div><div>his</div></div></div><div>below</div>"
)
YAHOO_FORWARD = (
    '<div>Mine</div><div class="yahoo_quoted"><div>----- Forwarded Message -----</div><div><b>From:</b> Bob</div>'
    "<div>his</div></div>"
)
APPLE = (
    '<div>Mine</div><div><br><blockquote type="cite"><div>On Monday, Bob wrote:</div><br><div>his</div></blockquote>'
)
PROTON = (
    '<div>Mine</div><div class="protonmail_quote">On Monday, Bob wrote:<br><br>'
    '<blockquote class="protonmail_quote" type="cite">his</blockquote></div>'
)
THUNDERBIRD = (
    '<div class="moz-cite-prefix">On Monday, Bob wrote:<br></div><blockquote type="cite" cite="mid:1@x">his'
    "</blockquote>Mine"
)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (GMAIL, "Mine\n\nOn Monday, Bob wrote:\n\n> his\n>\n> > older"),
        (GMAIL_FORWARD,
         "See below\n---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nSubject: Hi\n\nhis"),
        (OUTLOOK, "Mine\n\nFrom: Bob\nSent: Monday\n\n> his\n> more"),
        (OUTLOOK_ON_A_DESKTOP, "Mine\n\nFrom: Bob\nSent: Monday\n\nhis"),
        (YAHOO, "Mine\nOn Monday, Bob wrote:\n>\n> his\nbelow"),
        (YAHOO_FORWARD, "Mine\n----- Forwarded Message -----\nFrom: Bob\nhis"),
        (APPLE, "Mine\n\n> On Monday, Bob wrote:\n>\n> his"),
        (PROTON, "Mine\nOn Monday, Bob wrote:\n\n> his"),
        (THUNDERBIRD, "On Monday, Bob wrote:\n\n> his\n\nMine"),
        ('<blockquote style="margin:0 0 0 40px;border:none;padding:0px">indented</blockquote>', "indented"),
        ('<blockquote type="cite" style="border:none">quoted</blockquote>', "> quoted"),
        ("<blockquote><ul><li>a<li>b</ul><pre>c\nd</pre></blockquote>e", "> - a\n> - b\n>\n> c\n> d\n\ne"),
        ("<blockquote>a<div>b</blockquote>c", "> a\n> b\n\nc"),
    ],
)  # fmt: skip
def test_what_somebody_else_wrote_is_quoted(html: str, text: str) -> None:
    assert read(html) == text


def test_5_000_nested_elements_lose_no_text() -> None:
    for name in ("div", "span", "table", "ul", "font", "blockquote"):
        text = read(f"<{name}>" * 5000 + "at the bottom" + f"</{name}>" * 5000)
        assert text.endswith("at the bottom")
        assert len(text) < 100


def test_beyond_the_bound_of_tags_the_text_is_still_there() -> None:
    text = read("<p>a" * MOST_TAGS + "<p>and <b>the</b> end")
    assert text.startswith("a\n\na\n\na")
    assert text.split()[-3:] == ["and", "the", "end"]


def test_the_guess_of_what_is_seen_counts_neither_styles_nor_tags() -> None:
    page = f"<style>{'p{} ' * 1000}</style><!-- {'x' * 1000} --><p class='{'y' * 1000}'>My card</p>"
    assert visible_length(page) == 6
    assert visible_length("<style>" * 1000 + "<!--" * 1000) >= 0
