"""Preset dictionaries (RFC 1950 §2.2): what URLs and addresses share, so that short texts deflate.

They are part of token version 1 and frozen with it: a changed byte would make links that are
already in mailboxes unreadable. What is most common stands last, where it costs the fewest bits.
"""

from typing import Final

LINK: Final = b"".join(
    (
        b"/wp-content/uploads/ /mirror /preferences /webinar /checkout /whats-new /release-notes",
        b"/download /subscribe /event /article/ /collections/ /category/ /products/ /product/",
        b"/docs/ /help/ /support/ /about /contact /account /login /privacy /terms /imprint",
        b"/posts/ /news/ /shop/ /blog/ /status/ /watch?v= index.html .html .php .aspx .jpg .png",
        b"itunes.apple.com/app/ apps.apple.com/ play.google.com/store/apps/details?id=",
        b"www.pinterest.com/ www.tiktok.com/@ t.me/ wa.me/ bit.ly/ maps.google.com/maps?q=",
        b"https://www.youtube.com/ https://www.instagram.com/ https://www.linkedin.com/company/",
        b"https://x.com/ https://twitter.com/intent/tweet?text= https://www.facebook.com/sharer.php?u=",
        b"https%3A%2F%2Fwww. https%3A%2F%2F %20 ?lang=en&locale=de-DE&currency=EUR&source=email",
        b"?id=&ref=&token=&user_id=&email=&campaign=&medium=email&mc_cid=&mc_eid=&gclid=",
        b"2024/2025/2026/2027/ spring summer autumn winter january weekly digest promo footer hero",
        b"&utm_id=&utm_term=&utm_content=cta-button&utm_content=header&utm_content=footer",
        b"?utm_campaign=newsletter-&utm_source=newsletter&utm_medium=email&utm_campaign=",
        b"?utm_medium=email&utm_source=newsletter&utm_campaign=welcome&utm_content=",
        b".co.uk/.com.br/.com.au/.edu/.gov/.info/.app/.dev/.it/.nl/.fr/.eu/.io/.net/.de/.org/",
        b"http://www. https://shop. https://blog. https://docs. https://app. https://www. .com/",
    )
)

CONTEXT: Final = b"".join(
    (
        b"\x1fmarketing\x1etransactional\x1epromotion\x1ewelcome\x1einvoice\x1ereceipt\x1edigest",
        b"\x1fcampaign\x1d\x1euser_id\x1d\x1ecustomer_id\x1d\x1evariant\x1d\x1elist\x1d\x1eab\x1d\x1fnewsletter",
        b"info@office@contact@hello@admin@support@sales@team@news@mail@no-reply@noreply@",
        b"john.smith@maria.garcia@anna.michael@thomas.martin@peter.mueller@david.alex@",
        b"@localhost@mail-.example.org@example.net\x1f@ip-.ec2.internal@eu-west-1.amazonses.com\x1f",
        b"@mail.ru\x1f@yandex.ru\x1f@seznam.cz\x1f@wp.pl\x1f@libero.it\x1f@orange.fr\x1f@free.fr\x1f@qq.com\x1f",
        b"@proton.me\x1f@protonmail.com\x1f@t-online.de\x1f@web.de\x1f@gmx.net\x1f@gmx.de\x1f@aol.com\x1f",
        b"@hotmail.co.uk\x1f@yahoo.co.uk\x1f@yahoo.fr\x1f@live.com\x1f@me.com\x1f@msn.com\x1f@comcast.net\x1f",
        b"@icloud.com\x1f@outlook.com\x1f@hotmail.com\x1f@yahoo.com\x1f@gmail.com\x1f",
        b"0123456789abcdef-4 202 2026 .com\x1f.de\x1f.org\x1f.net\x1fmail. news. email.",
    )
)
