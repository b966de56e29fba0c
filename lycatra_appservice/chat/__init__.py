"""What a message means and who answers it.

stored event ──► addressing (is it for us?) ──► router (what is it?) ──► handler ──► Reply
"""
