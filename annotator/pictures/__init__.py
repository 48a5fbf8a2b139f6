"""Pictures for people."""

from annotator.pictures.attention import attention_picture
from annotator.pictures.contact_sheet import write_contact_sheet

__all__ = ["attention_picture", "write_contact_sheet"]
